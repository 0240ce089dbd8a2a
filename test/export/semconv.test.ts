import { metrics } from '@opentelemetry/api'
import t from 'tap'
import { mergeExponential, NO_BUCKETS, subtractExponential, toFixedBuckets } from '../../lib/series/exponential.ts'
import { sampleValue } from '../support/exposition-grammar.ts'
import { checkMetrics } from '../support/promtool.ts'
import { openStore } from '../support/store.ts'

t.test('naming semconv shows what OpenTelemetry\'s exporter would: names, scope, target_info, error types', async t => {
  const { app, scrape, vitals } = await openStore(t, { naming: 'semconv', otlp: { resource: { 'service.name': 'shop' }, endpoint: 'http://127.0.0.1:1', closeTimeoutMs: 50 }, limits: { seriesPerMetric: 5 } })
  t.equal((await app.inject('/nowhere')).statusCode, 404)
  vitals.info({ name: 'service_info', help: 'Service.', labels: ['version'] }).set({ version: '1' })
  const scope = { otel_scope_name: 'fastify-vitals', otel_scope_version: '0.1.0' }
  const many = vitals.counter({ name: 'many_total', help: 'Many.', labels: ['i'] })
  for (let i = 0; i < 9; i++) many.inc({ i })
  many.remove({ overflow: 'true' } as never)
  metrics.getMeter('bare').createCounter('things', { description: 'Things.' }).add(1)
  for (const format of ['prometheus', 'openmetrics'] as const) {
    const text = await scrape(format)
    t.equal(sampleValue(text, 'http_server_request_duration_seconds_count', { ...scope, http_request_method: 'GET', http_route: 'unmatched', http_response_status_code: '404', url_scheme: 'http' }), 1)
    t.equal(sampleValue(text, 'many_total', { ...scope, otel_metric_overflow: 'true' }), 4)
    t.equal(sampleValue(text, 'things_total', { otel_scope_name: 'bare' }), 1)
    t.equal(sampleValue(text, 'service_info', { ...scope, version: '1' }), 1)
    const target = [...text.values()].flatMap(({ samples }) => samples).find(({ name }) => name === 'target_info')!
    t.match(target.labels, { service_name: 'shop', telemetry_sdk_language: 'nodejs', host_name: String })
    t.notOk(text.has('http_requests_total') || text.has('http_requests'), 'the duration has the count')
  }
  t.same(await checkMetrics(await vitals.render()), { parses: true, complaints: '' })
})

t.test('exponential histograms merge and part without losing a count', async t => {
  const one = { scale: 2, zeroCount: 1, positive: { offset: -3, counts: [1, 0, 2] }, negative: { offset: 1, counts: [4] } }
  const two = { scale: 0, zeroCount: 2, positive: { offset: 5, counts: [3] }, negative: NO_BUCKETS }
  const merged = mergeExponential(one, two)
  t.same(merged, { scale: 0, zeroCount: 3, positive: { offset: -1, counts: [3, 0, 0, 0, 0, 0, 3] }, negative: { offset: 0, counts: [4] } })
  t.same(subtractExponential(merged, one), { scale: 0, zeroCount: 2, positive: { offset: -1, counts: [0, 0, 0, 0, 0, 0, 3] }, negative: { offset: 0, counts: [0] } })
  t.same(mergeExponential(two, one), merged, 'whichever comes first')
  const wide = mergeExponential(one, { scale: 2, zeroCount: 0, positive: { offset: 900, counts: [1] }, negative: NO_BUCKETS })
  t.ok(wide.positive.counts.length <= 160 && wide.scale < 2)
  t.equal(wide.positive.counts.reduce((sum, count) => sum + count), 4)
  t.same(toFixedBuckets(merged), { bounds: [-1, 0, 1, 2, 4, 8, 16, 32, 64], counts: [4, 3, 3, 0, 0, 0, 0, 0, 3] })
  t.same(toFixedBuckets({ scale: -4, zeroCount: 0, positive: { offset: 63, counts: [1] }, negative: NO_BUCKETS }), { bounds: [], counts: [] }, 'no bound beyond the largest number')
})
