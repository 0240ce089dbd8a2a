import rateLimit from '@fastify/rate-limit'
import t from 'tap'
import { toOtlpFamilies } from '../../lib/export/otlp-view.ts'
import { SemconvView } from '../../lib/export/semconv.ts'
import { LimiterMetrics } from '../../lib/limiter/limiter-metrics.ts'
import { Connections } from '../../lib/record/connections.ts'
import { Registry } from '../../lib/series/registry.ts'
import { parseExposition, sampleValue } from '../support/exposition-grammar.ts'
import { startReceiver } from '../support/otlp-receiver.ts'
import { start } from '../support/start.ts'

/** A metric of ours: its name, its OpenTelemetry name, unit and kind, and what Prometheus shows under naming semconv. */
type Row = [name: string, otlp: string, unit: string, kind: string, semconv: string]

const LIMITER: Row[] = [
  ['rate_limit_requests_total', 'rate_limit.requests.total', '{request}', 'sum', 'rate_limit_requests_total'],
  ['rate_limit_allowed_total', 'rate_limit.allowed.total', '{request}', 'sum', 'rate_limit_allowed_total'],
  ['rate_limit_rejected_total', 'rate_limit.rejected.total', '{request}', 'sum', 'rate_limit_rejected_total'],
  ['rate_limit_bypass_total', 'rate_limit.bypass.total', '{request}', 'sum', 'rate_limit_bypass_total'],
  ['rate_limit_errors_total', 'rate_limit.errors.total', '{error}', 'sum', 'rate_limit_errors_total'],
  ['rate_limit_check_duration_seconds', 'rate_limit.check.duration', 's', 'histogram', 'rate_limit_check_duration_seconds'],
  ['rate_limit_store_duration_seconds', 'rate_limit.redis.duration', 's', 'histogram', 'rate_limit_redis_duration_seconds'],
  ['rate_limit_remaining', 'rate_limit.remaining', '{request}', 'histogram', 'rate_limit_remaining'],
  ['rate_limit_quota_usage_ratio', 'rate_limit.quota.usage', '1', 'histogram', 'rate_limit_quota_usage_ratio'],
  ['rate_limit_tokens', 'rate_limit.token_bucket.tokens', '{token}', 'histogram', 'rate_limit_token_bucket_tokens']
]

const CONNECTIONS: Row[] = [
  ['connections_active', 'connections.active', '{connection}', 'updown', 'connections_active'],
  ['connections_total', 'connections.total', '{connection}', 'sum', 'connections_total'],
  ['connections_duration_seconds', 'connections.duration', 's', 'histogram', 'connections_duration_seconds'],
  ['connections_messages_sent_total', 'connections.messages.sent.total', '{message}', 'sum', 'connections_messages_sent_total']
]

const OWN: Row[] = [
  ['vitals_series', 'vitals.series', '{series}', 'updown', 'vitals_series'],
  ['vitals_series_overflow_total', 'vitals.series.overflow.total', '{record}', 'sum', 'vitals_series_overflow_total'],
  ['vitals_record_errors_total', 'vitals.record.errors.total', '{record}', 'sum', 'vitals_record_errors_total'],
  ['vitals_scrape_duration_seconds', 'vitals.scrape.duration', 's', 'histogram', 'vitals_scrape_duration_seconds'],
  ['vitals_scrape_size_bytes', 'vitals.scrape.size', 'By', 'histogram', 'vitals_scrape_size_bytes'],
  ['vitals_export_duration_seconds', 'vitals.export.duration', 's', 'histogram', 'vitals_export_duration_seconds'],
  ['vitals_export_failures_total', 'vitals.export.failures.total', '{push}', 'sum', 'vitals_export_failures_total'],
  ['vitals_last_export_timestamp_seconds', 'vitals.last_export.timestamp', 's', 'gauge', 'vitals_last_export_timestamp_seconds']
]

/** What a store says of its metrics that have a series. */
function rowsOf (registry: Registry): Row[] {
  const snapshot = registry.snapshot()
  const shown = new SemconvView({}, { naming: 'semconv', scopeLabels: true, totalSuffix: true }).of(snapshot).families.filter(({ name }) => name !== 'target_info')
  return toOtlpFamilies(snapshot).map(({ origin, name, unit, kind }, i) => [origin.name, name, unit, kind, shown[i]!.name])
}

/** The rows of one set, whatever else there is. */
const setOf = (rows: Row[], prefix: string): Row[] => rows.filter(([name]) => name.startsWith(prefix))

t.test('the rate-limiter set has OpenTelemetry names', t => {
  const registry = new Registry()
  const metrics = new LimiterMetrics(registry, ['priority'])
  for (const metric of Object.values(metrics)) metric.bind(metric.labelNames.map(() => 'x'))
  t.same(setOf(rowsOf(registry), 'rate_limit_'), LIMITER)
  t.end()
})

t.test('so do the connections and the plugin\'s metrics about itself', async t => {
  const registry = new Registry()
  const connections = new Connections(registry)
  connections.open('sse')()
  connections.sent('sse')
  t.same(setOf(rowsOf(registry), 'connections_'), CONNECTIONS)

  const receiver = await startReceiver(t)
  const { app, port } = await start(t, () => {}, { vitals: { endpoint: true, auth: false, limits: { seriesPerMetric: 3 }, otlp: { endpoint: receiver.httpUrl, intervalMs: 3_600_000 } } })
  const many = app.vitals.counter({ name: 'many_total', help: 'Many.', labels: ['i'] })
  for (let i = 0; i < 5; i++) many.inc({ i })
  many.inc({ i: 1 }, -1)
  await (await fetch(`http://127.0.0.1:${port}/v1/metrics`)).text()
  app.vitals.registry.counter({ name: 'vitals_export_failures_total', help: '', labels: ['reason'] }).inc({ reason: 'timeout' })
  const rows = setOf(rowsOf(app.vitals.registry), 'vitals_')
  t.same(rows.sort(), [...OWN].sort())
})

t.test('a limited route is pushed and shown by them', async t => {
  const receiver = await startReceiver(t)
  const { app, port } = await start(t, async app => {
    await app.register(rateLimit, { max: 2, timeWindow: 3_600_000 })
    app.get('/login', () => 'in')
  }, { vitals: { naming: 'semconv', otlp: { endpoint: receiver.httpUrl, intervalMs: 3_600_000 } } })
  for (let i = 0; i < 3; i++) await (await fetch(`http://127.0.0.1:${port}/login`)).text()
  await app.vitals.push()
  const { metrics } = receiver.take()
  t.match(metrics.get('fastify-vitals rate_limit.rejected.total'), { unit: '{request}', kind: 'sum', isMonotonic: true })
  t.match(metrics.get('fastify-vitals rate_limit.rejected.total')!.points, [{ value: 1, attributes: { endpoint: '/login', reason: 'exceeded' } }])
  t.equal(metrics.get('fastify-vitals rate_limit.check.duration')!.points[0]!.count, 3)
  const text = parseExposition(await app.vitals.render(), 'prometheus')
  const scope = { otel_scope_name: 'fastify-vitals', otel_scope_version: '0.1.0' }
  t.equal(text.get('rate_limit_quota_usage_ratio')!.samples.find(({ name }) => name.endsWith('_count'))!.value, 3)
  const { labels } = text.get('rate_limit_rejected_total')!.samples[0]!
  t.equal(sampleValue(text, 'rate_limit_rejected_total', labels), 1)
  t.match(labels, { ...scope, endpoint: '/login', reason: 'exceeded' })
  t.notOk(text.has('rate_limit_store_duration_seconds'))
})
