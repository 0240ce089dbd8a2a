import { existsSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import * as promClient from 'prom-client'
import { metrics } from '@opentelemetry/api'
import { AggregationType, MeterProvider } from '@opentelemetry/sdk-metrics'
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics'
import t from 'tap'
import fastify from 'fastify'
import vitals, { createMeterBridge, createRegistry } from '../../lib/index.ts'
import type { PromRegistry, VitalsOptions } from '../../lib/index.ts'
import { OtlpProducer } from '../../lib/export/otlp-producer.ts'
import { WatchedExporter } from '../../lib/export/push-exporter.ts'
import { toPushFailure } from '../../lib/export/push-failure.ts'
import { createResource } from '../../lib/export/resource.ts'
import { createView } from '../../lib/export/view.ts'
import { resolveOtlp } from '../../lib/resolve-otlp.ts'
import { sampleValue } from '../support/exposition-grammar.ts'
import { startFaulty } from '../support/faulty-receiver.ts'
import { startReceiver } from '../support/otlp-receiver.ts'
import { openStore } from '../support/store.ts'

const HOUR_MS = 3_600_000
const receiver = await startReceiver(t)

/** A store that pushes to the receiver when told. */
async function pushing (t: Parameters<typeof openStore>[0], options: VitalsOptions = {}, otlp = {}) {
  const store = await openStore(t, { ...options, otlp: { endpoint: receiver.httpUrl, intervalMs: HOUR_MS, ...otlp } })
  const push = async () => {
    receiver.take()
    await store.vitals.push()
    return receiver.take()
  }
  return { ...store, push }
}

t.test('the failures that exporters report have few names', async t => {
  const cases: [unknown, string][] = [
    [{ code: 4 }, 'timeout'], [{ code: 14 }, 'unreachable'], [{ code: 16 }, 'rejected'], [{ code: 503 }, 'unavailable'], [{ code: 404 }, 'rejected'],
    [{ code: 'EHOSTUNREACH' }, 'unreachable'], [{ code: 'ODD' }, 'error'], [{ code: 'HPE_INVALID' }, 'invalid_answer'],
    [new Error('Request timed out'), 'timeout'], [new Error('Export failed with retryable status'), 'unavailable'], [new Error('what'), 'error'], [undefined, 'error'], [null, 'error'], [{}, 'error']
  ]
  for (const [error, reason] of cases) t.equal(toPushFailure(error), reason)
})

t.test('a summary is pushed as a gauge of its quantiles and two sums', async t => {
  const registry = new promClient.Registry()
  const ages = new promClient.Summary({ name: 'ages', help: 'Ages.', labelNames: ['kind'], percentiles: [0.5, 0.9], registers: [registry] })
  const { push, scrape } = await pushing(t, { registries: [registry as unknown as PromRegistry] })
  ages.observe({ kind: 'a' }, 3)
  ages.observe({ kind: 'a' }, 4)
  for (let i = 0; i < 2; i++) {
    const { metrics } = await push()
    t.match(metrics.get('fastify-vitals ages'), { kind: 'gauge' })
    t.same(metrics.get('fastify-vitals ages')!.points.map(({ attributes }) => attributes), [{ kind: 'a', quantile: '0.5' }, { kind: 'a', quantile: '0.9' }])
    t.match(metrics.get('fastify-vitals ages_sum'), { kind: 'sum', isMonotonic: true, points: [{ value: 7, attributes: { kind: 'a' } }] })
    t.match(metrics.get('fastify-vitals ages_count')!.points, [{ value: 2 }])
  }
  t.equal(sampleValue(await scrape(), 'ages', { kind: 'a', quantile: '0.9' }), 4)
})

t.test('a joined counter that starts anew says since when', async t => {
  const registry = new promClient.Registry()
  const logins = new promClient.Counter({ name: 'logins_total', help: 'Logins.', registers: [registry] })
  const { push } = await pushing(t, { registries: [registry as unknown as PromRegistry] })
  logins.inc(5)
  const first = (await push()).metrics.get('fastify-vitals logins_total')!.points[0]!
  t.ok(Math.abs(first.startMs - performance.timeOrigin) < 1, 'since the process began')
  logins.reset()
  logins.inc(1)
  const second = (await push()).metrics.get('fastify-vitals logins_total')!.points[0]!
  t.ok(second.startMs > first.startMs && second.value === 1)
})

t.test('units of the store become UCUM\'s, whole names stay', async t => {
  const { push, vitals } = await pushing(t)
  vitals.gauge({ name: 'disk_used_ratio', help: 'Used.', unit: 'ratio' }).set(0.5)
  vitals.gauge({ name: 'speed_knots', help: 'Speed.', unit: 'knots' }).set(3)
  vitals.gauge({ name: 'room_things', help: 'Named.', otlp: { name: 'room.things' } }).set(2)
  vitals.gauge({ name: 'kept_here', help: 'Not pushed.', otlp: false }).set(2)
  vitals.info({ name: 'service_info', help: 'Service.', labels: ['version'] }).set({ version: '1' })
  const { metrics } = await push()
  t.equal(metrics.get('fastify-vitals disk_used_ratio')!.unit, '1')
  t.equal(metrics.get('fastify-vitals speed_knots')!.unit, 'knots')
  t.match(metrics.get('fastify-vitals room.things'), { unit: '', kind: 'gauge' })
  t.notOk(metrics.has('fastify-vitals kept_here'))
  t.match(metrics.get('fastify-vitals service_info'), { kind: 'sum', isMonotonic: false }, 'an info is a count of things that are so')
})

t.test('failures keep their reason in one row, whatever of them the limits refused', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(vitals, { endpoint: false, otlp: { endpoint: receiver.httpUrl, intervalMs: HOUR_MS }, limits: { seriesPerMetric: 2 } })
  for (const name of ['a', 'b', 'c']) app.get(`/${name}`, { config: { vitals: { labels: { tier: name } } } }, () => { throw new Error(name) })
  app.get('/mixed', (request, reply) => (request.query as { fail?: string }).fail === 'yes' ? Promise.reject(new Error('asked for')) : reply.code(500).send('on purpose'))
  await app.inject('/mixed?fail=yes')
  await app.inject('/mixed')
  for (const name of ['a', 'b', 'c']) await app.inject(`/${name}`)
  receiver.take()
  await app.vitals.push()
  const { points } = receiver.take().metrics.get('fastify-vitals http.server.request.duration')!
  t.equal(points.reduce((sum, { count }) => sum + count!, 0), 5, 'each once')
  t.same(points.filter(({ attributes }) => attributes['http.route'] === '/mixed').map(({ attributes, count }) => [attributes['error.type'], count]).sort(), [['500', 1], ['handler_error', 1]])
  t.match(points.find(({ attributes }) => attributes['http.route'] === '/a')!.attributes, { tier: 'a', 'error.type': 'handler_error' })
  t.ok(points.some(({ attributes }) => attributes['otel.metric.overflow'] === true))
})

t.test('deltas of histograms, exponential ones too, add up to the whole', async t => {
  const bridge = createMeterBridge()
  const provider = new MeterProvider({ readers: [bridge.reader], views: [{ instrumentName: 'wait', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }] })
  t.teardown(() => provider.shutdown())
  const { push, vitals } = await pushing(t, { meters: bridge }, { temporality: 'delta' })
  const own = vitals.histogram({ name: 'own_seconds', help: 'Own.', unit: 'seconds', buckets: [1] })
  const wait = provider.getMeter('shop').createHistogram('wait')
  const depth = provider.getMeter('shop').createUpDownCounter('depth')
  const seen = { own: 0, wait: 0 }
  for (const value of [0.5, 100, 3]) {
    own.observe(value)
    wait.record(value)
    wait.record(-value)
    depth.add(2)
    const { metrics } = await push()
    t.equal(metrics.get('fastify-vitals own_seconds')!.temporality, 'delta')
    seen.own += metrics.get('fastify-vitals own_seconds')!.points[0]!.count!
    const { exponential, count } = metrics.get('shop wait')!.points[0]!
    t.equal(count, [...exponential!.positive.counts, ...exponential!.negative.counts].reduce((sum, each) => sum + each, exponential!.zeroCount))
    seen.wait += count!
    t.equal(metrics.get('shop depth')!.temporality, 'cumulative', 'a level is no difference')
  }
  t.same(seen, { own: 3, wait: 3 }, 'a histogram takes no negative values')
  own.reset()
  own.observe(7)
  const after = (await push()).metrics.get('fastify-vitals own_seconds')!.points[0]!
  t.match(after, { count: 1, sum: 7 }, 'a reset begins anew')
})

t.test('a producer that nobody confirms counts from its last collection', async t => {
  const registry = createRegistry()
  const producer = new OtlpProducer(registry, { isDelta: true })
  const tasks = registry.counter({ name: 'tasks_total', help: 'Tasks.' })
  const collected = async () => (await producer.collect()).resourceMetrics.scopeMetrics[0]!.metrics.find(({ descriptor }) => descriptor.name === 'tasks_total')!.dataPoints[0]!.value
  tasks.inc(2)
  t.equal(await collected(), 2)
  tasks.inc(3)
  t.equal(await collected(), 3)
})

t.test('ten thousand series arrive whole, in several messages', async t => {
  const { vitals, push } = await pushing(t, { limits: { series: 20_000, seriesPerMetric: 20_000 } })
  const many = vitals.counter({ name: 'many_total', help: 'Many.', labels: ['i'] })
  for (let i = 0; i < 10_000; i++) many.inc({ i }, i)
  receiver.requests.length = 0
  const { points } = (await push()).metrics.get('fastify-vitals many_total')!
  t.equal(points.length, 10_000)
  t.equal(points.reduce((sum, { value }) => sum + value!, 0), 49_995_000)
  t.ok(receiver.requests.length >= 13)
})

t.test('a push of several messages fails once', async t => {
  const faulty = await startFaulty(t, { kind: 'answer', status: 400 })
  const { vitals } = await openStore(t, { limits: { series: 20_000, seriesPerMetric: 20_000 }, otlp: { endpoint: faulty.url, intervalMs: HOUR_MS, closeTimeoutMs: 50 } })
  const many = vitals.counter({ name: 'many_total', help: 'Many.', labels: ['i'] })
  for (let i = 0; i < 5_000; i++) many.inc({ i })
  await vitals.push()
  t.equal(vitals.read('vitals_export_failures_total', { reason: 'rejected' }), 1)
  t.equal(faulty.pushes, 1, 'what comes after a failure is not sent')
})

t.test('a push whose exporter throws has failed, and one of nothing has not', async t => {
  const failures: unknown[] = []
  let sent = 0
  const exporter: PushMetricExporter = {
    export (_metrics, done) {
      sent++
      if (sent === 3) throw new Error('cannot be encoded')
      setImmediate(done, { code: 0 })
    },
    forceFlush: async () => {},
    shutdown: async () => {}
  }
  const watched = new WatchedExporter(exporter, { succeeded: () => {}, failed: (...failure) => failures.push(failure) }, { timeoutMs: 10_000, cut: () => {}, pointsPerMessage: 1 })
  const registry = createRegistry()
  registry.counter({ name: 'tasks_total', help: 'Tasks.', labels: ['i'] }).inc({ i: 1 })
  const { resourceMetrics } = await new OtlpProducer(registry).collect()
  const push = async (metrics: typeof resourceMetrics) => await new Promise(resolve => watched.export(metrics, resolve))
  t.match(await push(resourceMetrics), { code: 1, error: { message: 'cannot be encoded' } })
  t.equal(sent, 3)
  t.match(failures, [['error', Number, { message: 'cannot be encoded' }]])
  t.match(await push({ ...resourceMetrics, scopeMetrics: [] }), { code: 0 })
})

t.test('the console is a target too', async t => {
  const dir = console.dir
  const shown: unknown[] = []
  console.dir = (value: unknown) => { shown.push(value) }
  process.env['OTEL_METRICS_EXPORTER'] = 'console'
  t.teardown(() => {
    console.dir = dir
    delete process.env['OTEL_METRICS_EXPORTER']
  })
  const { vitals } = await openStore(t)
  await vitals.push()
  t.ok(shown.length > 0)
})

t.test('over TLS, with its own certificate authority, and gRPC with an authority of its own', async t => {
  t.match(resolveOtlp({ protocol: 'grpc', endpoint: 'https://collector:4317/path' }, {}), { url: 'https://collector:4317/path' })
  process.env['OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE'] = new URL('../support/cert.pem', import.meta.url).pathname
  t.teardown(() => { delete process.env['OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE'] })
  const { vitals } = await openStore(t, { otlp: { endpoint: 'https://127.0.0.1:1', timeoutMs: 750, intervalMs: HOUR_MS } })
  await vitals.push()
  t.equal(vitals.read('vitals_export_failures_total', { reason: 'unreachable' }), 1)
})

t.test('what npm and Node say of the service is the least of what is believed', async t => {
  const bare = await createResource({}, {})
  t.match(bare.attributes['service.name'], /^unknown_service/)
  const named = await createResource({}, { npm_package_name: 'shop', npm_package_version: '1.2.3', NODE_ENV: 'staging' })
  t.match(named.attributes, { 'service.name': 'shop', 'service.version': '1.2.3', 'deployment.environment.name': 'staging' })
  const told = await createResource({ 'service.name': 'told' }, { npm_package_name: 'shop', NODE_ENV: '' })
  t.equal(told.attributes['service.name'], 'told')
  t.equal(told.attributes['deployment.environment.name'], undefined)
})

t.test('the resource says which machine it is, and what the environment adds', async t => {
  const { attributes } = await createResource({}, {})
  const machine = ['/etc/machine-id', '/var/lib/dbus/machine-id'].filter(path => existsSync(path)).map(path => readFileSync(path, 'utf8').trim())
  t.equal(attributes['host.id'] ?? '', process.platform === 'linux' ? machine[0] ?? '' : attributes['host.id'])
  t.match(attributes, { 'host.name': hostname(), 'host.arch': String, 'os.type': process.platform, 'process.pid': process.pid, 'process.runtime.version': process.versions.node, 'service.instance.id': String })
  process.env['OTEL_RESOURCE_ATTRIBUTES'] = 'service.version=4.5.6,deployment.environment.name=canary'
  t.teardown(() => { delete process.env['OTEL_RESOURCE_ATTRIBUTES'] })
  t.match((await createResource({}, { npm_package_version: '1.2.3', NODE_ENV: 'staging' })).attributes, { 'service.version': '4.5.6', 'deployment.environment.name': 'canary' })
})

t.test('a name that two own metrics come to under semconv is reported', async t => {
  const { vitals, scrape, warnings } = await openStore(t, { naming: 'semconv', meters: false })
  vitals.gauge({ name: 'disk_bytes', help: 'One.', otlp: { name: 'disk', unit: 'By' } }).set(1)
  vitals.counter({ name: 'disk_total', help: 'Two.', otlp: { name: 'disk_bytes', unit: '' } }).inc()
  vitals.histogram({ name: 'disk_of_bytes', help: 'Three.', otlp: { name: 'disk', unit: 'By' } }).observe(1)
  await scrape()
  t.ok((await scrape()).has('disk_bytes'))
  t.match(warnings, [/Prometheus is not shown counter disk_bytes_total of fastify-vitals/, /Prometheus is not shown histogram disk_bytes of fastify-vitals: gauge disk_bytes of fastify-vitals has that name already/])
  const reports: string[] = []
  const family = { name: 'x', help: '', type: 'gauge', unit: undefined, banks: [] } as const
  createView({ naming: 'semconv', scopeLabels: true, totalSuffix: true }, undefined, () => {})({ takenMs: 0, constantLabels: {}, families: [] })
  createView({ naming: 'prometheus', scopeLabels: true, totalSuffix: true }, undefined, message => reports.push(message))({ takenMs: 0, constantLabels: {}, families: [family, family] })
  t.match(reports, ['Prometheus is not shown gauge x of this plugin: gauge x of this plugin has that name already'])
})

t.test('instruments with odd scopes and no description', async t => {
  const { scrape, push } = await pushing(t)
  metrics.getMeter('').createCounter('orders').add(1)
  t.equal(sampleValue(await scrape(), 'orders_total', { otel_scope_name: '' }), 1)
  t.ok((await push()).metrics.has(' orders'))
})

t.test('the bridge\'s reader can be flushed and shut down like any other', async t => {
  const bridge = createMeterBridge()
  const provider = new MeterProvider({ readers: [bridge.reader] })
  await provider.forceFlush()
  await provider.shutdown()
  await t.rejects(bridge.reader.collect(), /shutdown/, 'it has nothing more to say')
  const empty = await bridge.producer.collect()
  t.same([empty.resourceMetrics.scopeMetrics, empty.errors], [[], []])
})
