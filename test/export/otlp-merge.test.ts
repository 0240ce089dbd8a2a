import t from 'tap'
import { findSample, sampleValue } from '../support/exposition-grammar.ts'
import { startReceiver } from '../support/otlp-receiver.ts'
import { checkMetrics } from '../support/promtool.ts'
import { openStore } from '../support/store.ts'

const HOUR_MS = 3_600_000
const receiver = await startReceiver(t)
const scope = { otel_scope_name: 'fastify-vitals', otel_scope_version: '0.1.0' }

async function pushing (t: Parameters<typeof openStore>[0], otlp = {}) {
  const store = await openStore(t, { naming: 'semconv', meters: false, limits: { seriesPerMetric: 3 }, otlp: { endpoint: receiver.httpUrl, intervalMs: HOUR_MS, ...otlp } })
  const push = async () => {
    receiver.take()
    await store.vitals.push()
    const { messages } = receiver
    const names = messages.flatMap(({ metrics }) => metrics.map(({ name }) => name))
    t.same(names.filter((name, i) => names.indexOf(name) !== i), [], 'no metric twice')
    return receiver.take().metrics
  }
  return { ...store, push }
}

/** The labels of a pool as OpenTelemetry has them. */
const inState = (state: string) => (names: readonly string[], values: readonly string[]) => ({ 'db.client.connection.pool.name': values[names.indexOf('client')]!, 'db.client.connection.state': state })

t.test('two gauges that are parts of one metric of OpenTelemetry leave as one, by either door', async t => {
  const { vitals, scrape, push, warnings } = await pushing(t)
  const otlp = { name: 'db.client.connection.count', unit: '{connection}', isUpDown: true, isInteger: true }
  const active = vitals.gauge({ name: 'db_connection_pool_active', help: 'Connections in use.', labels: ['client'], otlp: { ...otlp, toAttributes: inState('used') } })
  const idle = vitals.gauge({ name: 'db_connection_pool_idle', help: 'Connections to spare.', labels: ['client'], otlp: { ...otlp, isInteger: false, toAttributes: inState('idle') } })
  for (let round = 1; round <= 2; round++) {
    active.set({ client: 'primary' }, 3 * round)
    idle.set({ client: 'primary' }, 5)
    idle.set({ client: 'replica' }, 7)
    const metric = (await push()).get('fastify-vitals db.client.connection.count')!
    t.match(metric, { kind: 'sum', isMonotonic: false, unit: '{connection}', description: 'Connections in use.' })
    t.same(metric.points.map(({ attributes, value, isInt }) => [attributes['db.client.connection.pool.name'], attributes['db.client.connection.state'], value, isInt]), [
      ['primary', 'used', 3 * round, false], ['primary', 'idle', 5, false], ['replica', 'idle', 7, false]
    ], 'whole numbers only where all parts are')
    for (const format of ['prometheus', 'openmetrics'] as const) {
      const text = await scrape(format)
      t.equal(text.get('db_client_connection_count')!.samples.length, 3)
      t.equal(sampleValue(text, 'db_client_connection_count', { ...scope, db_client_connection_pool_name: 'primary', db_client_connection_state: 'used' }), 3 * round)
      t.equal(sampleValue(text, 'db_client_connection_count', { ...scope, db_client_connection_pool_name: 'replica', db_client_connection_state: 'idle' }), 7)
    }
  }
  // Beyond the limit, both have an overflow: one attribute set.
  for (let i = 0; i < 9; i++) {
    active.inc({ client: `a${i}` })
    idle.inc({ client: `b${i}` }, 2)
  }
  const overflow = Number(vitals.read('db_connection_pool_active', { overflow: 'true' })) + Number(vitals.read('db_connection_pool_idle', { overflow: 'true' }))
  const points = (await push()).get('fastify-vitals db.client.connection.count')!.points.filter(({ attributes }) => attributes['otel.metric.overflow'] === true)
  t.same(points.map(({ value }) => value), [overflow])
  t.equal(sampleValue(await scrape(), 'db_client_connection_count', { ...scope, otel_metric_overflow: 'true' }), overflow)
  t.ok((await checkMetrics(await vitals.render())).parses)
  t.notOk(warnings.some(warning => warning.includes('not shown')))
})

t.test('attribute sets that two parts have are added up where that means something', async t => {
  for (const temporality of ['cumulative', 'delta'] as const) {
    const { vitals, scrape, push } = await pushing(t, { temporality })
    const jobs = [1, 2].map(i => vitals.counter({ name: `jobs_${i}_total`, help: 'Jobs.', labels: ['queue'], otlp: { name: 'jobs', unit: '{job}' } }))
    const waits = [[1, 10], [1, 10], [5]].map((buckets, i) => vitals.histogram({ name: `wait_${i}_seconds`, help: 'Waited.', buckets, otlp: { name: 'wait', unit: 's' } }))
    const heat = [1, 2].map(i => vitals.gauge({ name: `heat_${i}`, help: 'Heat.', otlp: { name: 'heat' } }))
    jobs.forEach((counter, i) => counter.inc({ queue: 'mail' }, i + 1))
    waits.forEach(histogram => histogram.observe(2))
    heat.forEach((gauge, i) => gauge.set(20 + i))
    const metrics = await push()
    t.same(metrics.get('fastify-vitals jobs')!.points.map(({ value }) => value), [3])
    t.same(metrics.get('fastify-vitals wait')!.points.map(({ count, sum, bucketCounts }) => [count, sum, bucketCounts]), [[2, 4, [0, 2, 0]]], 'of other bounds there is no sum')
    t.same(metrics.get('fastify-vitals heat')!.points.map(({ value }) => value), [20], 'nor of levels')
    jobs[1]!.inc({ queue: 'mail' })
    t.same((await push()).get('fastify-vitals jobs')!.points.map(({ value }) => value), [temporality === 'delta' ? 1 : 4])
    t.equal(sampleValue(await scrape(), 'jobs_total', { ...scope, queue: 'mail' }), 4)
    t.ok(findSample(await scrape('openmetrics'), 'wait_seconds_bucket', { ...scope, le: '10.0' }))
  }
})
