import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { metrics } from '@opentelemetry/api'
import { AggregationTemporality, AggregationType, InMemoryMetricExporter, InstrumentType, MeterProvider, MetricReader, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import t from 'tap'
import { createMeterBridge } from '../../lib/index.ts'
import { sampleValue } from '../support/exposition-grammar.ts'
import { openStore } from '../support/store.ts'
import { startReceiver } from '../support/otlp-receiver.ts'

const HOUR_MS = 3_600_000
const scope = { otel_scope_name: 'shop', otel_scope_version: '2.1' }

t.test('shows every kind of instrument that the application records through the API', async t => {
  const { scrape } = await openStore(t, { constantLabels: { region: 'north' } })
  const meter = metrics.getMeter('shop', '2.1')
  const labels = { region: 'north', ...scope }
  const counter = meter.createCounter('orders.placed', { unit: '{order}', description: 'Orders.' })
  const upDown = meter.createUpDownCounter('sockets.open', { unit: '1' })
  const gauge = meter.createGauge('room.temperature', { unit: 'Cel' })
  const histogram = meter.createHistogram('db.latency', { unit: 'ms', advice: { explicitBucketBoundaries: [5, 50] } })
  let lines = 10
  let disks = ['a', 'b']
  meter.createObservableCounter('log.lines').addCallback(result => result.observe(lines, { level: 'info' }))
  meter.createObservableUpDownCounter('queue.length').addCallback(async result => result.observe(lines / 2))
  meter.createObservableGauge('disk.used', { unit: '1' }).addCallback(result => disks.forEach((disk, i) => result.observe(i / 4, { disk })))
  counter.add(2, { 'customer.tier': 'gold', customer_tier: 'silver', region: 'south', otel_scope_name: 'odd' })
  upDown.add(3)
  upDown.add(-1)
  gauge.record(21.5)
  histogram.record(7, { le: 'odd' })
  for (let scrapes = 0; scrapes < 3; scrapes++) await scrape()
  counter.add(1, { 'customer.tier': 'gold', customer_tier: 'silver', region: 'south', otel_scope_name: 'odd' })
  histogram.record(70, { le: 'odd' })
  lines = 14
  disks = ['b']
  for (const format of ['prometheus', 'openmetrics'] as const) {
    const text = await scrape(format)
    t.equal(sampleValue(text, 'orders_placed_total', { ...labels, customer_tier: 'gold;silver', exported_region: 'south', exported_otel_scope_name: 'odd' }), 3)
    t.equal(sampleValue(text, 'sockets_open', labels), 2, 'only of a gauge is the unit 1 a ratio')
    t.equal(sampleValue(text, 'room_temperature_celsius', labels), 21.5, 'a gauge keeps what was recorded last')
    const le = format === 'prometheus' ? ['5', '50', '+Inf'] : ['5.0', '50.0', '+Inf']
    t.same(le.map(bound => sampleValue(text, 'db_latency_milliseconds_bucket', { ...labels, exported_le: 'odd', le: bound })), [0, 1, 2])
    t.equal(sampleValue(text, 'db_latency_milliseconds_sum', { ...labels, exported_le: 'odd' }), 77)
    t.equal(sampleValue(text, 'log_lines_total', { ...labels, level: 'info' }), 14)
    t.equal(sampleValue(text, 'queue_length', labels), 7)
    t.equal(sampleValue(text, 'disk_used_ratio', { ...labels, disk: 'b' }), 0)
    t.equal(sampleValue(text, 'disk_used_ratio', { ...labels, disk: 'a' }), undefined, 'what is not observed is not there')
  }
})

t.test('who recorded is said in full, whatever an attribute says', async t => {
  for (const naming of ['prometheus', 'semconv'] as const) {
    const { app, scrape } = await openStore(t, { naming })
    metrics.getMeter('shop', '2.1', { schemaUrl: 'https://example.com/1.0' }).createCounter('orders').add(1, { 'otel.scope.version': 'odd' })
    const sample = (await scrape()).get('orders_total')!.samples[0]!
    t.match(sample.labels, { ...scope, otel_scope_schema_url: 'https://example.com/1.0' })
    await app.close()
  }
})

t.test('an instrument\'s label sets are bounded for ever, and what is beyond them is not lost', async t => {
  const { scrape, vitals } = await openStore(t, { limits: { seriesPerMetric: 10 } })
  const meter = metrics.getMeter('shop', '2.1')
  const counter = meter.createCounter('scans')
  const histogram = meter.createHistogram('scan.size', { advice: { explicitBucketBoundaries: [1] } })
  for (let interval = 0; interval < 5; interval++) {
    for (let i = 0; i < 50; i++) {
      counter.add(1, { url: `/${interval}/${i}` })
      histogram.record(i % 2 * 2, { url: `/${interval}/${i}` })
    }
    await scrape()
  }
  const text = await scrape()
  const totals = text.get('scans_total')!.samples
  t.equal(totals.length, 11)
  t.equal(totals.reduce((sum, { value }) => sum + value, 0), 250)
  t.equal(sampleValue(text, 'scans_total', { overflow: 'true', ...scope }), 240)
  t.equal(sampleValue(text, 'scan_size_bucket', { overflow: 'true', ...scope, le: '1' }), 120)
  t.equal(sampleValue(text, 'scan_size_count', { overflow: 'true', ...scope }), 240)
  t.ok(Number(vitals.read('vitals_series_overflow_total', { metric: 'scan_size' })) > 0)
})

t.test('a value that is no number is refused, and counted', async t => {
  const { scrape, vitals, warnings } = await openStore(t)
  const gauge = metrics.getMeter('shop', '2.1').createGauge('heat')
  gauge.record(3)
  await scrape()
  gauge.record(NaN)
  t.equal(sampleValue(await scrape(), 'heat', scope), 3)
  t.equal(vitals.read('vitals_record_errors_total', { metric: 'heat' }), 1)
  t.match(warnings, [/Wrong record for metric heat: a value must be a finite number, got: NaN/])
})

t.test('what the SDK itself put into its overflow goes to ours', async t => {
  const { scrape } = await openStore(t)
  const counter = metrics.getMeter('shop', '2.1').createCounter('floods')
  for (let i = 0; i < 2_500; i++) counter.add(1, { i })
  const samples = (await scrape()).get('floods_total')!.samples
  t.equal(samples.reduce((sum, { value }) => sum + value, 0), 2_500)
  t.ok(samples.some(({ labels }) => labels['overflow'] === 'true'))
})

t.test('a callback that fails or never ends is reported once, and the rest is shown', async t => {
  const { scrape, warnings } = await openStore(t)
  const meter = metrics.getMeter('shop', '2.1')
  meter.createCounter('orders').add(1)
  meter.createObservableGauge('broken').addCallback(() => { throw new Error('no reading') })
  meter.createObservableGauge('stuck').addCallback(() => new Promise(() => {}))
  const [one, two] = await Promise.all([scrape(), scrape('openmetrics')])
  t.equal(sampleValue(one, 'orders_total', scope), 1)
  t.equal(sampleValue(two, 'orders_total', scope), 1)
  t.equal(warnings.length, 1)
  t.match(warnings[0], /OpenTelemetry meters could not be read in full/)
})

t.test('timers that callbacks make are as ever, and so is what makes them', async t => {
  const { scrape, warnings } = await openStore(t)
  const meter = metrics.getMeter('shop')
  const { setTimeout: original } = globalThis
  t.teardown(() => { globalThis.setTimeout = original })
  const seen: unknown[] = []
  meter.createObservableGauge('depth').addCallback(async result => {
    const timer = setTimeout(() => {}, 1_000)
    const canPromise = promisify.custom in setTimeout
    seen.push([typeof timer === 'number' || timer.hasRef(), canPromise])
    clearTimeout(timer)
    if (canPromise) await promisify(setTimeout)(1)
    else await setImmediate()
    result.observe(1)
  })
  t.equal(sampleValue(await scrape(), 'depth', { otel_scope_name: 'shop', otel_scope_version: '' }), 1)
  t.equal(globalThis.setTimeout, original)
  const replaced = ((...given: Parameters<typeof original>) => original(...given)) as typeof original
  const replace = (): void => { globalThis.setTimeout = replaced }
  const width = meter.createObservableGauge('width')
  width.addCallback(replace)
  await scrape()
  width.removeCallback(replace)
  t.equal(globalThis.setTimeout, replaced, 'what a callback puts there stays')
  Object.defineProperty(globalThis, 'setTimeout', { value: original, writable: false })
  t.teardown(() => Object.defineProperty(globalThis, 'setTimeout', { value: original, writable: true }))
  await scrape()
  t.equal(globalThis.setTimeout, original, 'and what cannot be replaced is used as it is')
  Object.defineProperty(globalThis, 'setTimeout', { value: (...given: Parameters<typeof original>) => Number(original(...given)), writable: true })
  t.equal(sampleValue(await scrape(), 'depth', { otel_scope_name: 'shop', otel_scope_version: '' }), 1, 'timers need not be of Node\'s kind')
  t.same(seen, [[true, true], [true, true], [true, true], [true, false]])
  t.same(warnings, [])
})

t.test('an exponential histogram is shown with its own bounds, and pushed as it is', async t => {
  const receiver = await startReceiver(t)
  const bridge = createMeterBridge()
  const exponential = { type: AggregationType.EXPONENTIAL_HISTOGRAM, options: { maxSize: 20, recordMinMax: true } } as const
  const provider = new MeterProvider({ readers: [bridge.reader], views: [{ instrumentName: 'wait', aggregation: exponential }, { instrumentName: 'flat', aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: [] } } }, { instrumentName: 'ups', aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: [1] } } }] })
  t.teardown(() => provider.shutdown())
  const { scrape, vitals } = await openStore(t, { meters: bridge, otlp: { endpoint: receiver.httpUrl, intervalMs: HOUR_MS, timeoutMs: 5_000 } })
  const histogram = provider.getMeter('shop', '2.1').createHistogram('wait', { unit: 's' })
  provider.getMeter('shop', '2.1').createHistogram('flat').record(3)
  provider.getMeter('shop', '2.1').createUpDownCounter('ups').add(-2)
  const values = [0, 0.001, 0.5, 1, 1, 3, 1_000, 1e9]
  let sum = 0
  for (const [i, value] of values.entries()) {
    histogram.record(value)
    sum += value
    if (i % 3 === 2) await scrape()
  }
  for (const format of ['prometheus', 'openmetrics'] as const) {
    const text = await scrape(format)
    const buckets = text.get('wait_seconds')!.samples.filter(({ name }) => name === 'wait_seconds_bucket')
    t.equal(buckets.at(-1)!.value, values.length)
    for (const { labels: { le }, value } of buckets) t.equal(value, values.filter(each => each <= Number(le === '+Inf' ? Infinity : le)).length, `as many as there are up to ${le}`)
    t.equal(sampleValue(text, 'wait_seconds_sum', scope), sum)
    t.equal(sampleValue(text, 'ups_bucket', { ...scope, le: format === 'prometheus' ? '1' : '1.0' }), 1, 'of what may go down there is no sum')
    t.equal(sampleValue(text, 'flat_bucket', { ...scope, le: '+Inf' }), 1)
  }
  await vitals.push()
  const { exponential: pushed, count, sum: pushedSum } = receiver.take().metrics.get('shop wait')!.points[0]!
  t.equal(count, values.length)
  t.equal(pushedSum, sum)
  t.equal(pushed!.zeroCount, 1)
  t.equal(pushed!.positive.counts.reduce((total, each) => total + each, 0), values.length - 1)
  t.ok(pushed!.positive.counts.length <= 160)
})

t.test('joins the application\'s own SDK: its meters are scraped, and the store is pushed by it', async t => {
  const bridge = createMeterBridge()
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const own = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: HOUR_MS, metricProducers: [bridge.producer] })
  const provider = new MeterProvider({ readers: [own, bridge.reader] })
  t.teardown(() => provider.shutdown())
  provider.getMeter('shop', '2.1').createCounter('orders').add(2)
  await provider.forceFlush()
  t.equal(exporter.getMetrics().at(-1)!.scopeMetrics.length, 1, 'nothing of the store before the plugin is there')
  const { app, scrape, vitals } = await openStore(t, { meters: bridge })
  vitals.counter({ name: 'tasks_total', help: 'Tasks.' }).inc(3)
  app.vitals.histogram({ name: 'wait_seconds', help: 'Waited.', unit: 'seconds' }).observe(1)
  t.equal(sampleValue(await scrape(), 'orders_total', scope), 2)
  await provider.forceFlush()
  const scopes = exporter.getMetrics().at(-1)!.scopeMetrics
  t.same(scopes.map(each => each.scope.name).sort(), ['fastify-vitals', 'shop'], 'each once')
  const tasks = scopes.flatMap(each => each.metrics).find(metric => metric.descriptor.name === 'tasks_total')!
  t.match(tasks.dataPoints, [{ value: 3 }])
})

t.test('leaves the API alone where the application has set it up, or was told to', async t => {
  const provider = new MeterProvider()
  t.ok(metrics.setGlobalMeterProvider(provider))
  t.teardown(() => metrics.disable())
  const first = await openStore(t)
  metrics.getMeter('shop').createCounter('orders').add(1)
  t.equal((await first.scrape()).get('orders_total'), undefined)
  await first.app.close()
  t.equal(metrics.getMeterProvider(), provider)
  metrics.disable()
  const second = await openStore(t, { meters: false })
  metrics.getMeter('shop').createCounter('orders').add(1)
  t.equal((await second.scrape()).get('orders_total'), undefined)
})

t.test('two instruments of one name: the first type is shown to Prometheus, and the other reported', async t => {
  const { scrape, warnings } = await openStore(t)
  metrics.getMeter('a').createCounter('jobs').add(1)
  metrics.getMeter('b').createCounter('jobs').add(2)
  metrics.getMeter('c').createHistogram('jobs_total').record(1)
  await scrape()
  const text = await scrape()
  t.equal(sampleValue(text, 'jobs_total', { otel_scope_name: 'a' }), 1)
  t.equal(sampleValue(text, 'jobs_total', { otel_scope_name: 'b' }), 2)
  t.equal(text.get('jobs_total')!.samples.length, 2)
  t.match(warnings, [/Prometheus is not shown histogram jobs_total of c: counter jobs_total of a has that name already/])
})

t.test('a reader that cannot read is reported, and the store is shown', async t => {
  class BrokenReader extends MetricReader {
    override async collect (): Promise<never> { throw new Error('nothing to read') }
    protected async onForceFlush (): Promise<void> {}
    protected async onShutdown (): Promise<void> {}
  }
  const bridge = createMeterBridge()
  Object.assign(bridge, { reader: new BrokenReader() })
  const { scrape, warnings } = await openStore(t, { meters: bridge })
  t.ok((await scrape()).has('vitals_series'))
  t.match(warnings, [/nothing to read/])
  t.equal(bridge.reader.selectAggregationTemporality(InstrumentType.COUNTER), AggregationTemporality.CUMULATIVE)
})
