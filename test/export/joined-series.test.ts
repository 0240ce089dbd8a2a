import { MeterProvider } from '@opentelemetry/sdk-metrics'
import t from 'tap'
import type { VitalsOptions } from '../../lib/index.ts'
import { createMeterBridge } from '../../lib/index.ts'
import type { Labels } from '../support/exposition-grammar.ts'
import { startReceiver } from '../support/otlp-receiver.ts'
import { checkMetrics } from '../support/promtool.ts'
import { openStore } from '../support/store.ts'

/* What OpenTelemetry tells apart and Prometheus cannot: it is one series, never two of the same labels. */

const receiver = await startReceiver(t)

async function open (t: Parameters<typeof openStore>[0], options: VitalsOptions) {
  const bridge = createMeterBridge()
  const provider = new MeterProvider({ readers: [bridge.reader] })
  t.teardown(() => provider.shutdown())
  const store = await openStore(t, { meters: bridge, otlp: { endpoint: receiver.httpUrl, intervalMs: 3_600_000 }, ...options })
  /** Labels and value of each sample, those of the plugin about itself left out. */
  const shown = async (format: 'prometheus' | 'openmetrics' = 'prometheus') => {
    const samples = [...(await store.scrape(format)).values()].flatMap(({ samples }) => samples)
    return samples.filter(({ name }) => !/^(?:vitals_|target_info)/.test(name)).map(({ name, labels, value }) => [name, { ...labels }, value] as [string, Labels, number])
  }
  const reports = (): string[] => store.warnings.filter(warning => warning.includes('is not shown'))
  return { ...store, provider, shown, reports }
}

const NAMINGS = ['prometheus', 'semconv'] as const

t.test('names of one scope that become one are one metric, what it cannot have is told once', async t => {
  for (const naming of NAMINGS) {
    const { provider, shown, reports, vitals } = await open(t, { naming })
    const meter = provider.getMeter('shop')
    for (const name of ['orders.placed', 'orders_placed']) meter.createCounter(name, { description: 'Orders.' }).add(2)
    for (const [i, name] of ['heat.now', 'heat_now'].entries()) meter.createGauge(name, { description: 'Heat.' }).record(20 + i)
    for (const [name, unit] of [['wait', 's'], ['wait.seconds', '']] as const) meter.createHistogram(name, { unit, description: 'Waited.', advice: { explicitBucketBoundaries: [1] } }).record(2)
    for (let i = 0; i < 2; i++) {
      t.same(await shown(), [
        ['orders_placed_total', { otel_scope_name: 'shop' }, 4],
        ['heat_now', { otel_scope_name: 'shop' }, 20],
        ['wait_seconds_bucket', { otel_scope_name: 'shop', le: '1' }, 0],
        ['wait_seconds_bucket', { otel_scope_name: 'shop', le: '+Inf' }, 2],
        ['wait_seconds_sum', { otel_scope_name: 'shop' }, 4],
        ['wait_seconds_count', { otel_scope_name: 'shop' }, 2]
      ])
    }
    t.same(reports(), [
      'fastify-vitals: Prometheus is not shown some series of gauge heat_now of shop: gauge heat_now of shop has the same labels',
      'fastify-vitals: Prometheus is not shown the unit of histogram wait_seconds of shop: histogram wait_seconds of shop has another one'
    ])
    t.same(await checkMetrics(await vitals.render()), { parses: true, complaints: '' })
  }
})

t.test('scopeLabels: false leaves the scope out, and unites what only that told apart', async t => {
  for (const naming of NAMINGS) {
    const { provider, shown, reports, vitals } = await open(t, { naming, scopeLabels: false })
    const own = vitals.counter({ name: 'jobs_total', help: 'Jobs.', labels: ['queue'] })
    own.inc({ queue: 'mail' }, 100)
    for (const [i, name] of ['shop', 'stock'].entries()) {
      const meter = provider.getMeter(name, `${i}.0`, { schemaUrl: 'https://opentelemetry.io/schemas/1.31.0' })
      meter.createCounter('jobs', { description: 'Jobs.' }).add(i + 1, { queue: 'mail' })
      meter.createUpDownCounter('sockets', { description: 'Sockets.' }).add(i + 1)
      meter.createGauge('heat', { description: 'Heat.' }).record(i + 1, { place: name })
      meter.createGauge('level', { description: 'Level.' }).record(i + 1)
      meter.createHistogram('wait', { description: 'Waited.', advice: { explicitBucketBoundaries: [1] } }).record(i + 1)
      meter.createHistogram('size', { description: 'Sizes.', advice: { explicitBucketBoundaries: [i + 1] } }).record(i + 1)
    }
    t.same(await shown(), [
      ['jobs_total', { queue: 'mail' }, 103],
      ['sockets', {}, 3],
      ['heat', { place: 'shop' }, 1],
      ['heat', { place: 'stock' }, 2],
      ['level', {}, 1],
      ['wait_bucket', { le: '1' }, 1],
      ['wait_bucket', { le: '+Inf' }, 2],
      ['wait_sum', {}, 3],
      ['wait_count', {}, 2],
      ['size_bucket', { le: '1' }, 1],
      ['size_bucket', { le: '+Inf' }, 1],
      ['size_sum', {}, 1],
      ['size_count', {}, 1]
    ])
    t.same(reports().map(report => report.replace(/^.*some series of (.*): .*$/, '$1')), ['gauge level of stock', 'histogram size of stock'], 'levels and other bounds have no sum')
    t.notMatch(await vitals.render({ format: 'openmetrics' }), 'otel_scope_')
    receiver.take()
    await vitals.push()
    const { metrics } = receiver.take()
    t.same(['fastify-vitals jobs_total', 'shop jobs', 'stock jobs', 'stock level', 'stock size'].map(key => metrics.get(key)?.points.length), [1, 1, 1, 1, 1], 'all is pushed')
  }
})

t.test('what is one series counts since the earliest of its parts', async t => {
  const { provider, shown, vitals } = await open(t, { naming: 'semconv', scopeLabels: false })
  const own = vitals.counter({ name: 'jobs_total', help: 'Jobs.' })
  own.inc()
  const began = Date.now()
  while (Date.now() === began);
  provider.getMeter('shop').createCounter('jobs', { description: 'Jobs.' }).add(1)
  const [total, created] = (await shown('openmetrics')).filter(([name]) => name.startsWith('jobs'))
  t.same(total, ['jobs_total', {}, 2])
  t.ok(created![2] * 1_000 <= began)
})

t.test('an attribute named like the scope\'s label stays without the scope', async t => {
  for (const [naming, label] of [['semconv', 'otel_scope_name'], ['prometheus', 'exported_otel_scope_name']] as const) {
    const { provider, shown } = await open(t, { naming, scopeLabels: false })
    provider.getMeter('shop').createCounter('jobs').add(1, { 'otel.scope.name': 'mine' })
    t.same(await shown(), [['jobs_total', { [label]: 'mine' }, 1]])
  }
})

t.test('nobody else\'s series joins the resource\'s own info', async t => {
  const { provider, scrape, vitals, reports } = await open(t, { naming: 'semconv' })
  vitals.info({ name: 'target_info', help: 'Mine.', labels: ['version'] }).set({ version: '1' })
  provider.getMeter('shop').createGauge('target').record(1)
  for (const format of ['prometheus', 'openmetrics'] as const) {
    const samples = [...(await scrape(format)).values()].flatMap(({ samples }) => samples).filter(({ name }) => name.startsWith('target'))
    t.match(samples, [{ name: 'target_info', labels: { telemetry_sdk_language: 'nodejs' } }])
    t.equal(samples.length, 1)
  }
  t.match(reports(), [/info target_info of fastify-vitals: info target_info of this plugin has that name already/, /gauge target of shop/])
})

t.test('an info that two metrics of one name state is one', async t => {
  const { vitals, shown, reports } = await open(t, { naming: 'semconv' })
  for (const name of ['build_info', 'release_info']) vitals.info({ name, help: 'Built.', labels: ['version'], otlp: { name: 'built_info' } }).set({ version: '1' })
  vitals.info({ name: 'other_info', help: 'Built.', labels: ['version'], otlp: { name: 'built.info' } }).set({ version: '1' })
  t.match(await shown(), [['built_info', { version: '1' }, 1]])
  t.equal((await shown()).length, 1)
  t.same(reports(), [])
  receiver.take()
  await vitals.push()
  t.same(receiver.take().metrics.get('fastify-vitals built_info')!.points.map(({ value }) => value), [1])
})

t.test('of as many but other bounds there is no sum', async t => {
  const { vitals, shown } = await open(t, { naming: 'semconv' })
  for (const bound of [1, 10]) vitals.histogram({ name: `wait_${bound}_seconds`, help: 'Waited.', buckets: [bound], otlp: { name: 'wait', unit: 's' } }).observe(5)
  t.match(await shown(), [['wait_seconds_bucket', { le: '1' }, 0], ['wait_seconds_bucket', { le: '+Inf' }, 1], [], ['wait_seconds_count', {}, 1]])
})
