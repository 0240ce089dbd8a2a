import { context, trace, ValueType } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics'
import type { PushMetricExporter, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { AlwaysOnSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import fastify from 'fastify'
import t from 'tap'
import { createOtlpExporter } from '../../lib/export/exporters.ts'
import type { OtlpProtocol } from '../../lib/export/otlp-options.ts'
import { PushConnections } from '../../lib/export/push-connections.ts'
import { sendExemplars } from '../../lib/export/send-exemplars.ts'
import vitals from '../../lib/index.ts'
import { resolveOtlp } from '../../lib/resolve-otlp.ts'
import type { Exemplar } from '../../lib/series/snapshot.ts'
import { findSample, parseExposition } from '../support/exposition-grammar.ts'
import type { ReceivedPoint } from '../support/otlp-receiver.ts'
import { startReceiver } from '../support/otlp-receiver.ts'
import { openStore } from '../support/store.ts'

const HOUR_MS = 3_600_000
const receiver = await startReceiver(t)
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
t.teardown(() => context.disable())
const tracer = new TracerProvider({ sampler: new AlwaysOnSampler() }).getTracer('test')

async function inSpan (work: () => unknown): Promise<string> {
  const span = tracer.startSpan('work')
  await context.with(trace.setSpan(context.active(), span), work)
  return span.spanContext().traceId
}

/** A store that keeps exemplars and pushes to the receiver when told. */
async function pushing (t: Parameters<typeof openStore>[0], otlp = {}) {
  const store = await openStore(t, { exemplars: true, otlp: { endpoint: receiver.httpUrl, intervalMs: HOUR_MS, ...otlp } })
  const push = async (name: string): Promise<ReceivedPoint[]> => {
    receiver.take()
    await store.vitals.push()
    return receiver.take().metrics.get(`fastify-vitals ${name}`)!.points
  }
  return { ...store, push }
}

const tracesOf = ({ exemplars }: ReceivedPoint): string[] => exemplars.map(({ traceId }) => traceId)

t.test('a failed request takes its exemplar along, and leaves the others behind', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(vitals, { endpoint: false, exemplars: true, buckets: { duration: [60] }, otlp: { endpoint: receiver.httpUrl, intervalMs: HOUR_MS } })
  let longest = 0
  // Each request takes longer than those before it, so that it is the largest of its bucket as well as the last.
  app.get('/mixed', (request, reply) => {
    for (const begun = performance.now(); performance.now() - begun <= longest * 1_000;);
    return (request.query as { fail?: string }).fail === 'yes' ? Promise.reject(new Error('asked for')) : reply.code(500).send('on purpose')
  })
  const push = async (): Promise<Record<string, string[]>> => {
    receiver.take()
    await app.vitals.push()
    const { points } = receiver.take().metrics.get('fastify-vitals http.server.request.duration')!
    longest = Math.max(...points.flatMap(({ exemplars }) => exemplars.map(({ value }) => value)))
    return Object.fromEntries(points.map(point => [point.attributes['error.type'], tracesOf(point)]))
  }
  const answered = await inSpan(async () => await app.inject('/mixed'))
  t.same(await push(), { 500: [answered] })
  const failed = await inSpan(async () => await app.inject('/mixed?fail=yes'))
  t.same(await push(), { 500: [], handler_error: [failed] })
  const again = await inSpan(async () => await app.inject('/mixed'))
  t.same(await push(), { 500: [again], handler_error: [failed] })
  const counted = findSample(parseExposition(await app.vitals.render({ format: 'openmetrics' }), 'openmetrics'), 'http_requests_total', { method: 'GET', endpoint: '/mixed', status: '500' })!
  t.match(counted.exemplar, { value: 1, labels: { trace_id: again } }, 'the count has that of the last request')
})

/** Until the clock that exemplars are stamped with has moved on. */
function tick (): void {
  for (const before = Date.now(); Date.now() === before;);
}

t.test('of two parts of one metric, each row has the last exemplar of either', async t => {
  const { vitals: store, push } = await pushing(t)
  const jobs = [1, 2].map(i => store.counter({ name: `jobs_${i}_total`, help: 'Jobs.', labels: ['queue'], otlp: { name: 'jobs' } }))
  for (const counter of jobs) counter.inc({ queue: 'mail' })
  t.same(tracesOf((await push('jobs'))[0]!), [])
  for (const i of [1, 0, 1]) {
    tick()
    const id = await inSpan(() => jobs[i]!.inc({ queue: 'mail' }))
    t.same(tracesOf((await push('jobs'))[0]!), [id])
  }
})

t.test('the last of a bucket and the largest are pushed, a delta has those of its own time', async t => {
  for (const temporality of ['cumulative', 'delta']) {
    const { vitals: store, push } = await pushing(t, { temporality })
    const waits = [1, 2].map(i => store.histogram({ name: `wait_${i}_seconds`, help: 'Waited.', buckets: [10], otlp: { name: 'wait' } }))
    const observe = async (i: number, value: number): Promise<string> => {
      tick()
      return await inSpan(() => waits[i]!.observe(value))
    }
    const pushed = async (): Promise<string[][]> => (await push('wait')).map(tracesOf)
    const [, large, small] = [await observe(0, 4), await observe(0, 7), await observe(0, 5)]
    t.same(await pushed(), [[small, large]])
    tick()
    const smaller = await observe(0, 3)
    t.same(await pushed(), [temporality === 'delta' ? [smaller] : [smaller, large]])
    const [larger, last] = [await observe(1, 8), await observe(1, 2)]
    t.same(await pushed(), [[last, larger]], 'of two parts of one metric, those of either')
  }
})

t.test('a delta has the exemplars of its own time', async t => {
  const { vitals: store, push } = await pushing(t, { temporality: 'delta' })
  const wait = store.histogram({ name: 'wait_seconds', help: 'Waited.', unit: 'seconds', buckets: [1] })
  const first = await inSpan(() => wait.observe(0.5))
  tick()
  t.same(tracesOf((await push('wait_seconds'))[0]!), [first])
  const second = await inSpan(() => wait.observe(5))
  t.same(tracesOf((await push('wait_seconds'))[0]!), [second])
})

/** A message with an exemplar at every second point of each kind, as a producer makes it. */
function messageOf (exemplar: Exemplar): ResourceMetrics {
  const at = { startTime: [1_700_000_000, 0], endTime: [1_700_000_010, 0] }
  const histogram = { count: 1, sum: 3, buckets: { boundaries: [1], counts: [0, 1] } }
  const exponential = { count: 1, sum: 3, scale: 0, zeroCount: 0, positive: { offset: 1, bucketCounts: [1] }, negative: { offset: 0, bucketCounts: [] } }
  const kinds: [string, DataPointType, unknown, ValueType][] = [
    ['gauge', DataPointType.GAUGE, 3, ValueType.DOUBLE], ['sum', DataPointType.SUM, 3, ValueType.INT],
    ['histogram', DataPointType.HISTOGRAM, histogram, ValueType.DOUBLE], ['exponential', DataPointType.EXPONENTIAL_HISTOGRAM, exponential, ValueType.DOUBLE]
  ]
  const metrics = kinds.map(([name, dataPointType, value, valueType]) => {
    const dataPoints = [0, 1, 2, 3].map(i => ({ ...at, attributes: { i }, value }))
    const exemplars = new Map(dataPoints.filter((_, i) => i % 2 === 1).map(point => [point, [exemplar]]))
    return { descriptor: { name, description: 'A metric.', unit: '', valueType }, dataPointType, aggregationTemporality: AggregationTemporality.CUMULATIVE, isMonotonic: true, dataPoints, exemplars }
  })
  const plain = { ...metrics[0]!, descriptor: { ...metrics[0]!.descriptor, name: 'plain' }, exemplars: undefined }
  return { resource: resourceFromAttributes({ 'service.name': 'shop' }), scopeMetrics: [{ scope: { name: 'a' }, metrics: [plain] }, { scope: { name: 'b', version: '2' }, metrics: [...metrics, plain] }] } as unknown as ResourceMetrics
}

const exemplar = { value: 3, timestampMs: 1_700_000_005_123.457, labels: { trace_id: 'not one', span_id: '00f067aa0ba902b7', ключ: 'значение' } }

async function send (exporter: PushMetricExporter, message: ResourceMetrics): Promise<unknown> {
  return await new Promise(resolve => exporter.export(message, resolve))
}

async function exporterOf (protocol: OtlpProtocol, tell: (reason: string) => void): Promise<PushMetricExporter> {
  const settings = resolveOtlp({ endpoint: protocol === 'grpc' ? receiver.grpcUrl : receiver.httpUrl, protocol }, {})
  const exporter = await createOtlpExporter(settings, new PushConnections(settings), tell)
  t.teardown(() => exporter.shutdown())
  return exporter
}

for (const protocol of ['http/protobuf', 'http/json', 'grpc'] as const) {
  t.test(`every kind of point carries its exemplars over ${protocol}, and nothing else changes`, async t => {
    const told: string[] = []
    const exporter = await exporterOf(protocol, reason => told.push(reason))
    const message = messageOf(exemplar)
    const bare = { ...message, scopeMetrics: message.scopeMetrics.map(scope => ({ ...scope, metrics: scope.metrics.map(metric => ({ ...metric, exemplars: undefined })) })) }
    receiver.take()
    t.match(await send(exporter, bare), { code: 0 })
    const before = receiver.take()
    t.match(await send(exporter, message), { code: 0 })
    const after = receiver.take()
    for (const name of ['gauge', 'sum', 'histogram', 'exponential']) {
      const { points } = after.metrics.get(`b ${name}`)!
      t.same(points.map(({ exemplars }) => exemplars.length), [0, 1, 0, 1])
      const { timeMs, ...rest } = points[1]!.exemplars[0]!
      t.same(rest, { value: 3, isInt: name === 'sum', traceId: '', spanId: '00f067aa0ba902b7', attributes: { trace_id: 'not one', ключ: 'значение' } })
      t.ok(Math.abs(timeMs - exemplar.timestampMs) < 0.001)
    }
    for (const { points } of after.metrics.values()) for (const point of points) point.exemplars = []
    t.same(after, before)
    t.same(told, [])
  })
}

t.test('an exporter that is not as expected sends all else, and says so once there are exemplars', async t => {
  const message = messageOf(exemplar)
  const { scopeMetrics: [first] } = message
  const sent: unknown[] = []
  const strange: PushMetricExporter = {
    export (metrics, done) {
      sent.push(metrics)
      done({ code: 0 })
    },
    forceFlush: async () => {},
    shutdown: async () => {}
  }
  const told: string[] = []
  sendExemplars(strange, 'grpc', reason => told.push(reason))
  await send(strange, { ...message, scopeMetrics: [first!] })
  t.same(told, [])
  for (let i = 0; i < 2; i++) await send(strange, message)
  t.same(told, ['this version of the exporter has its serializer in another place'])
  t.equal(sent.length, 3)

  for (const [protocol, bytes, count] of [['http/protobuf', Uint8Array.of(), 1], ['http/json', Buffer.from('{"resourceMetrics":[]}'), 1], ['grpc', undefined, 0]] as const) {
    const reasons: string[] = []
    const serializer = { serializeRequest: (_metrics: ResourceMetrics): Uint8Array | undefined => bytes }
    const insides = { _delegate: { _serializer: serializer } }
    sendExemplars(Object.assign(insides, strange), protocol, reason => reasons.push(reason))
    for (let i = 0; i < 2; i++) t.equal(insides._delegate._serializer.serializeRequest(message), bytes)
    t.equal(reasons.length, count)
  }
})

t.test('the log says that exemplars cannot be pushed', async t => {
  const { serializeRequest } = ProtobufMetricsSerializer
  t.teardown(() => { ProtobufMetricsSerializer.serializeRequest = serializeRequest })
  // As a serializer would be that writes messages of another form: what was one is two.
  ProtobufMetricsSerializer.serializeRequest = metrics => Buffer.concat(Array(2).fill(serializeRequest(metrics)) as Uint8Array[])
  const { vitals: store, push, warnings } = await pushing(t)
  const tasks = store.counter({ name: 'tasks_total', help: 'Tasks.' })
  await inSpan(() => tasks.inc())
  for (let i = 0; i < 2; i++) t.match(await push('tasks_total'), [{ value: 1, exemplars: [] }, {}])
  t.match(warnings, [/Exemplars are not pushed: Error: a message has 2 items of field 1 where 1 were expected. All else is/])
})
