import { metrics } from '@opentelemetry/api'
import { Registry } from 'prom-client'
import promClient from 'prom-client'
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import type { ParsedExposition } from '../support/exposition-grammar.ts'
import { parseExposition } from '../support/exposition-grammar.ts'
import type { OtlpReceiver, ReceivedMetric, ReceivedPoint } from '../support/otlp-receiver.ts'
import { startReceiver } from '../support/otlp-receiver.ts'
import { startSpans } from '../support/spans.ts'
import { start } from '../support/start.ts'

/*
 * What Prometheus pulls and what OpenTelemetry is pushed, compared sample by sample. The rules by which one becomes the other
 * are written down here once more, from the specifications, and share nothing with the code under test.
 */

const receiver = await startReceiver(t)

/** Sample name and labels to value. */
type Samples = Map<string, number>

const keyOf = (name: string, labels: Record<string, string>): string => `${name}{${Object.keys(labels).sort().map(label => `${label}=${JSON.stringify(labels[label])}`).join(',')}}`

/** Metrics that move by being looked at. */
const isOwnMetric = (name: string): boolean => /^vitals[_.]|^target_info$/.test(name)

function pulled (exposition: ParsedExposition): Samples {
  const samples: Samples = new Map()
  for (const family of exposition.values()) {
    for (const { name, labels, value } of family.samples) if (!isOwnMetric(name)) samples.set(keyOf(name, labels), value)
  }
  return samples
}

const UNITS: Record<string, string> = { s: 'seconds', By: 'bytes', ms: 'milliseconds', 1: 'ratio' }

/** The compatibility specification's name. */
function prometheusName (metric: ReceivedMetric): string {
  let name = metric.name.replace(/[^a-zA-Z0-9_:]+/g, '_')
  const isCounter = metric.kind === 'sum' && metric.isMonotonic
  const unit = UNITS[metric.unit]
  if (isCounter) name = name.replace(/_total$/, '')
  if (unit !== undefined && !name.endsWith(`_${unit}`)) name += `_${unit}`
  return isCounter ? `${name}_total` : name
}

function labelsOf (metric: ReceivedMetric, point: ReceivedPoint): Record<string, string> {
  const labels: Record<string, string> = { otel_scope_name: metric.scope.name }
  if (metric.scope.version !== '') labels['otel_scope_version'] = metric.scope.version
  for (const [key, value] of Object.entries(point.attributes)) labels[key.replace(/[^a-zA-Z0-9_]+/g, '_')] = String(value)
  return labels
}

function pushed (received: ReturnType<OtlpReceiver['take']>): Samples {
  const samples: Samples = new Map()
  for (const metric of received.metrics.values()) {
    if (isOwnMetric(metric.name)) continue
    const name = prometheusName(metric)
    for (const point of metric.points) {
      const labels = labelsOf(metric, point)
      if (point.value !== undefined) {
        samples.set(keyOf(name, labels), point.value)
        continue
      }
      let total = 0
      point.bounds!.forEach((bound, i) => {
        total += point.bucketCounts![i]!
        samples.set(keyOf(`${name}_bucket`, { ...labels, le: String(bound) }), total)
      })
      samples.set(keyOf(`${name}_bucket`, { ...labels, le: '+Inf' }), point.count!)
      samples.set(keyOf(`${name}_count`, labels), point.count!)
      samples.set(keyOf(`${name}_sum`, labels), point.sum!)
    }
  }
  return samples
}

function difference (a: Samples, b: Samples): string[] {
  return [...a].filter(([key, value]) => !Object.is(b.get(key), value)).map(([key, value]) => `${key}: ${value}, not ${b.get(key)}`)
}

const HOUR_MS = 3_600_000

for (const protocol of ['http/protobuf', 'http/json', 'grpc'] as const) {
  t.test(`pull and push say the same over ${protocol}, wherever it was recorded`, async t => {
    receiver.take()
    const prom = new Registry()
    prom.setDefaultLabels({ team: 'blue' })
    const endpoint = protocol === 'grpc' ? receiver.grpcUrl : receiver.httpUrl
    const token = 'scraper-of-this-test'
    const { app, port } = await start(t, app => {
      app.get('/users/:id', () => 'hello')
      app.get('/broken', () => { throw new Error('out of order') })
      app.post('/upload', () => ({ ok: true }))
    }, {
      vitals: {
        otlp: { endpoint, protocol, intervalMs: HOUR_MS },
        endpoint: true,
        auth: { bearer: token },
        // What a scrape counts about itself would differ between two scrapes.
        ignore: ['/v1/metrics'],
        rateLimit: false,
        naming: 'semconv',
        registries: [prom],
        constantLabels: { region: 'north' }
      }
    })
    const tasks = app.vitals.counter({ name: 'tasks_created_total', help: 'Tasks.', labels: ['kind'] })
    const depth = app.vitals.gauge({ name: 'queue_depth', help: 'Waiting.' })
    const wait = app.vitals.histogram({ name: 'wait_seconds', help: 'Waited.', unit: 'seconds', buckets: [0.1, 1] })
    const logins = new promClient.Counter({ name: 'logins_total', help: 'Logins.', labelNames: ['way'], registers: [prom] })
    const sizes = new promClient.Histogram({ name: 'sizes', help: 'Sizes.', buckets: [1, 10], registers: [prom] })
    const meter = metrics.getMeter('shop', '2.1')
    const orders = meter.createCounter('orders.placed', { unit: '{order}' })
    const latency = meter.createHistogram('db.latency', { unit: 'ms', advice: { explicitBucketBoundaries: [5, 50] } })
    const open = meter.createUpDownCounter('sockets.open')
    let observed = 0.25
    meter.createObservableGauge('disk.used', { unit: '1' }).addCallback(result => result.observe(observed, { disk: 'a' }))

    const url = `http://127.0.0.1:${port}`
    const ask = async (path: string, init: RequestInit = {}): Promise<string> => await (await fetch(url + path, init)).text()
    const scrape = async (): Promise<Samples> => pulled(parseExposition(await ask('/v1/metrics', { headers: { authorization: `Bearer ${token}` } }), 'prometheus'))
    for (let interval = 1; interval <= 3; interval++) {
      await ask(`/users/${interval}`)
      await ask('/broken')
      await ask('/nowhere')
      await ask('/upload', { method: 'POST', body: 'x'.repeat(700) })
      tasks.inc({ kind: 'a "quoted"\\ one\n' }, interval)
      depth.set(interval / 3)
      wait.observe(0.05 * interval)
      wait.observe(5)
      logins.inc({ way: 'key' })
      sizes.observe(interval * 4)
      orders.add(interval, { 'customer.tier': 'gold', new: true })
      latency.record(interval * 20.5, { table: 'users' })
      open.add(interval === 2 ? -1 : 2)
      observed /= 2
      if (interval === 3) {
        tasks.reset()
        wait.reset()
        prom.resetMetrics()
        sizes.observe(3)
      }
      // Two scrapers, one before and one after the push, and one that pulls while it is under way.
      const [first] = await Promise.all([scrape(), flush(app)])
      const push = pushed(receiver.take())
      const second = await scrape()
      t.same(difference(first, push), [], `interval ${interval}: what is pulled is pushed`)
      t.same(difference(push, first), [], `interval ${interval}: what is pushed is pulled`)
      t.same(difference(first, second), [], `interval ${interval}: a scrape changes nothing`)
      t.ok(first.size > 100, 'there is much to compare')
    }
    t.equal((await scrape()).get(keyOf('orders_placed_total', { customer_tier: 'gold', new: 'true', otel_scope_name: 'shop', otel_scope_version: '2.1', region: 'north' })), 6)
  })
}

const inSpan = startSpans(t)

const exemplarText = (value: number, timeMs: number, labels: object): string => JSON.stringify([value, Math.round(timeMs * 1_000), Object.entries(labels).sort()])

/** Exemplars by the sample that each is behind. */
function pulledExemplars (exposition: ParsedExposition): Map<string, string> {
  const found = new Map<string, string>()
  for (const { name, labels, exemplar } of [...exposition.values()].flatMap(({ samples }) => samples)) {
    if (exemplar === undefined || isOwnMetric(name)) continue
    const { le, ...others } = labels
    found.set(keyOf(name, le === undefined ? others : { ...others, le: String(Number(le.replace('+Inf', 'Infinity'))) }), exemplarText(exemplar.value, exemplar.timestamp! * 1_000, exemplar.labels))
  }
  return found
}

/** As the compatibility specification has them shown: of each bucket the largest, where it has none the highest of those below. */
function pushedExemplars (received: ReturnType<OtlpReceiver['take']>): Map<string, string> {
  const found = new Map<string, string>()
  for (const metric of received.metrics.values()) {
    if (isOwnMetric(metric.name)) continue
    const name = prometheusName(metric)
    for (const point of metric.points) {
      const labels = labelsOf(metric, point)
      const buckets = point.bounds === undefined ? [{ key: keyOf(name, labels), bound: Infinity }] : [...point.bounds, Infinity].map(bound => ({ key: keyOf(`${name}_bucket`, { ...labels, le: String(bound) }), bound }))
      for (const { key, bound } of buckets) {
        // Whatever lies below the bound: the largest of it is the bucket's own, or that of the nearest bucket which has one.
        const [largest] = point.exemplars.filter(({ value }) => value <= bound).sort((a, b) => b.value - a.value)
        if (largest === undefined) continue
        const { value, timeMs, traceId, spanId, attributes } = largest
        found.set(key, exemplarText(value, timeMs, { ...attributes, ...(traceId !== '' && { trace_id: traceId }), ...(spanId !== '' && { span_id: spanId }) }))
      }
    }
  }
  return found
}

/** Since when the series that only grow count, in whole microseconds. */
function pulledStarts (exposition: ParsedExposition): Samples {
  const starts: Samples = new Map()
  for (const { name, samples } of exposition.values()) {
    for (const sample of samples) if (sample.name === `${name}_created` && !isOwnMetric(name)) starts.set(keyOf(name, sample.labels), Math.round(sample.value * 1e6))
  }
  return starts
}

function pushedStarts (received: ReturnType<OtlpReceiver['take']>): Samples {
  const starts: Samples = new Map()
  for (const metric of received.metrics.values()) {
    if (isOwnMetric(metric.name) || (metric.kind !== 'histogram' && !metric.isMonotonic)) continue
    for (const point of metric.points) starts.set(keyOf(prometheusName(metric).replace(/_total$/, ''), labelsOf(metric, point)), Math.round(point.startMs * 1e3))
  }
  return starts
}

for (const protocol of ['http/protobuf', 'http/json', 'grpc'] as const) {
  t.test(`exemplars say the same over ${protocol}`, async t => {
    const prom = new Registry<'application/openmetrics-text; version=1.0.0; charset=utf-8'>()
    prom.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
    const endpoint = protocol === 'grpc' ? receiver.grpcUrl : receiver.httpUrl
    const { app, port } = await start(t, app => {
      app.get('/users/:id', () => 'hello')
      app.get('/broken', () => { throw new Error('out of order') })
      const emit = app.server.emit.bind(app.server) as (...args: unknown[]) => boolean
      // As an instrumentation of node:http does: each request runs within a span of its own.
      app.server.emit = (...args: unknown[]) => {
        let isHeard = false
        inSpan(() => { isHeard = emit(...args) })
        return isHeard
      }
    }, { vitals: { otlp: { endpoint, protocol, intervalMs: HOUR_MS }, naming: 'semconv', exemplars: true, registries: [prom], constantLabels: { region: 'north' }, limits: { series: 3_000 } } })
    const tasks = app.vitals.counter({ name: 'tasks_created_total', help: 'Tasks.', labels: ['kind'], otlp: { name: 'tasks.created', isInteger: true } })
    const shared = ['a', 'b'].map(part => app.vitals.counter({ name: `shared_${part}_total`, help: 'Shared.', labels: ['kind'], otlp: { name: 'shared' } }))
    const wait = app.vitals.histogram({ name: 'wait_seconds', help: 'Waited.', unit: 'seconds', labels: ['i'], buckets: [0.1, 1] })
    const logins = new promClient.Counter<string>({ name: 'logins_total', help: 'Logins.', labelNames: ['way'], registers: [prom], enableExemplars: true })
    const sizes = new promClient.Histogram<string>({ name: 'sizes', help: 'Sizes.', buckets: [1, 10], registers: [prom], enableExemplars: true })
    const meter = metrics.getMeter('shop', '2.1')
    const orders = meter.createCounter('orders.placed')
    for (let interval = 1; interval <= 2; interval++) {
      for (const path of ['/users/1', '/broken', '/nowhere']) await (await fetch(`http://127.0.0.1:${port}${path}`)).text()
      // More points than one message takes.
      const traces = Array.from({ length: 700 }, (_, i) => inSpan(() => wait.observe({ i }, i / 300)))
      inSpan(() => {
        tasks.inc({ kind: 'mail' }, interval)
        for (const counter of shared) counter.inc({ kind: 'mail' }, interval)
        shared[interval - 1]!.inc({ kind: 'fax' })
        wait.observe({ i: 0 }, 0.05 * interval)
        wait.observe({ i: 0 }, 5)
        orders.add(1)
      })
      // Not the largest of their buckets.
      inSpan(() => {
        for (let i = 300; i < 700; i++) wait.observe({ i }, 1.001)
        for (const counter of shared) counter.inc({ kind: 'mail' }, interval / 2)
      })
      // A series that begins anew.
      wait.remove({ i: 7 })
      traces[7] = inSpan(() => wait.observe({ i: 7 }, 2))
      logins.inc({ labels: { way: 'key' }, value: 1, exemplarLabels: { trace_id: traces[0]!, user_tier: 'gold' } })
      sizes.observe({ value: interval * 4, exemplarLabels: { traceID: 'of another kind' } })
      // Whatever is active while it is collected has nothing to do with it.
      receiver.take()
      let pushing: Promise<void> | undefined
      inSpan(() => { pushing = app.vitals.push() })
      await pushing
      const received = receiver.take()
      const push = pushedExemplars(received)
      const exposition = parseExposition(await app.vitals.render({ format: 'openmetrics' }), 'openmetrics')
      t.same([...push].sort(), [...pulledExemplars(exposition)].sort())
      t.ok(push.size > 700, 'there is much to compare')
      const starts = pulledStarts(exposition)
      t.same(difference(starts, pushedStarts(received)), [])
      t.same(difference(pushedStarts(received), starts), [])
      t.ok(starts.size > 700)
      const textOf = (start: string): string[] => [...push].filter(([key]) => key.startsWith(start)).map(([, text]) => text)
      const waits = textOf('wait_seconds_bucket').join()
      t.ok(traces.slice(1).every(id => waits.includes(id)), 'each trace is there')
      for (const name of ['tasks_created_total', 'shared_total', 'logins_total', 'sizes_bucket', 'http_server_request_duration_seconds_bucket']) t.ok(textOf(name).length > 0, name)
      t.same(textOf('orders_placed_total'), [], 'the SDK for JavaScript hands out none')
      t.equal(received.metrics.get('fastify-vitals http.server.request.duration')!.points.filter(({ exemplars }) => exemplars.length > 0).length, 3, 'a failed request has its own')
    }
  })
}

/** Pushes once, whatever the interval. */
async function flush (app: FastifyInstance): Promise<void> {
  await app.vitals.push()
}
