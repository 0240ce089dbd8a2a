import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { AggregationType, MeterProvider } from '@opentelemetry/sdk-metrics'
import promClient from 'prom-client'
import t from 'tap'
import type { PromRegistry, VitalsOptions } from '../../lib/index.ts'
import { createMeterBridge, createRegistry } from '../../lib/index.ts'
import { Exposition } from '../../lib/export/exposition.ts'
import { ProtobufWriter } from '../../lib/export/protobuf.ts'
import type { Labels } from '../support/exposition-grammar.ts'
import type { DecodedSample } from '../support/metric-families.ts'
import { decodeFamilies } from '../support/metric-families.ts'
import { scrapeProtobuf, scrapeText } from '../support/scrapes.ts'
import { startSpans } from '../support/spans.ts'
import { start } from '../support/start.ts'

/* What a scrape says in protobuf, compared with what the text formats say: value by value, wherever it was recorded. */

const inSpan = startSpans(t)
const EXPONENTIAL = { type: AggregationType.EXPONENTIAL_HISTOGRAM } as const

/** A service that everything joins, and what records in it. */
async function open (t: Parameters<typeof start>[0], options: VitalsOptions = {}) {
  const bridge = createMeterBridge()
  const provider = new MeterProvider({
    readers: [bridge.reader],
    views: [
      { instrumentName: 'spread', aggregation: EXPONENTIAL },
      { instrumentName: 'swings', aggregation: EXPONENTIAL },
      { instrumentName: 'mixed', meterName: 'shop', aggregation: EXPONENTIAL },
      { instrumentName: 'coarse', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM, options: { maxSize: 2 } } }
    ]
  })
  t.teardown(() => provider.shutdown())
  const prom = new promClient.Registry<'application/openmetrics-text; version=1.0.0; charset=utf-8'>()
  prom.setContentType(promClient.Registry.OPENMETRICS_CONTENT_TYPE)
  const warnings: string[] = []
  const { app, port } = await start(t, () => {}, {
    fastify: { logger: { level: 'warn', stream: { write: (line: string) => warnings.push((JSON.parse(line) as { msg: string }).msg) } } },
    vitals: { endpoint: true, auth: false, rateLimit: false, ignore: ['/v1/metrics'], meters: bridge, registries: [prom as unknown as PromRegistry], ...options }
  })
  return { vitals: app.vitals, port, prom, warnings, meter: provider.getMeter('shop', '2.1'), other: provider.getMeter('stock') }
}

const keyOf = (name: string, labels: Labels): string => `${name} ${JSON.stringify(Object.entries(labels).sort())}`
const textOf = (value: number): string => Number.isNaN(value) ? 'NaN' : String(value)

/** Values by series, without those that looking at them moves. */
function valuesOf (families: Iterable<{ readonly samples: readonly Pick<DecodedSample, 'name' | 'labels' | 'value'>[] }>): string[] {
  const samples = [...families].flatMap(({ samples }) => samples).filter(({ name }) => !name.startsWith('vitals_'))
  return samples.map(({ name, labels, value }) => `${keyOf(name, labels)} ${textOf(value)}`).sort()
}

const HOSTILE = ['', ' ', 'größe 😀', 'a "quoted" one', 'back\\slash', 'line\nfeed', '\\n', '\r\u2028\u0000', 'x'.repeat(200), '\uD800 lone', '{a="b"}', 'é'.repeat(100)]
const NUMBERS = [0, -0, 1, -1, 0.1 + 0.2, 2 ** 53, -(2 ** 53), 2 ** 32, 2 ** 32 - 1, 5e-324, Number.MAX_VALUE, 1e21, NaN, Infinity, -Infinity]

for (const naming of ['prometheus', 'semconv'] as const) {
  t.test(`says what the text says, with naming ${naming}`, async t => {
    const { vitals, port, prom, meter } = await open(t, { naming, exemplars: true, constantLabels: { region: 'nörth "1"' } })
    const counter = vitals.counter({ name: 'sent_bytes_total', help: 'Sent \\ "bytes"\nin all. \uD800', unit: 'bytes', labels: ['to', 'as'] })
    const gauge = vitals.gauge({ name: 'level', help: '', labels: ['i'] })
    const histogram = vitals.histogram({ name: 'wait_seconds', help: 'Waited.', unit: 'seconds', labels: ['to'], buckets: [-1, 0, 0.5, 1e6] })
    const plain = vitals.histogram({ name: 'size', help: 'Sizes.', buckets: [1, 2.5] })
    vitals.info({ name: 'service_info', help: 'Service.', labels: ['version'] }).set({ version: '1 "beta"' })
    vitals.gauge({ name: 'nobody', help: 'No series.', labels: ['x'] })
    const foreign = new promClient.Gauge({ name: 'foreign', help: 'Foreign.', labelNames: ['i'], registers: [prom] })
    const summary = new promClient.Summary({ name: 'sizes', help: 'Sizes.', labelNames: ['to'], percentiles: [0.5, 0.99], registers: [prom] })
    const logins = new promClient.Counter<string>({ name: 'logins_total', help: 'Logins.', labelNames: ['way'], registers: [prom], enableExemplars: true })
    const [orders, depth, spread] = [meter.createCounter('orders.placed', { unit: '1' }), meter.createUpDownCounter('depth'), meter.createHistogram('spread', { unit: 's' })]
    for (let round = 0; round < 5; round++) {
      for (const [i, to] of HOSTILE.entries()) {
        if (i % 4 !== round) counter.inc({ to, as: HOSTILE[(i * 5 + round) % HOSTILE.length]! }, i + round)
        histogram.observe({ to }, i - 5)
        summary.observe({ to: `to ${i}` }, i - round)
        orders.add(i, { 'customer.tier': to })
        spread.record(i ** round, { to })
      }
      // One that stays as it is, and one that has an exemplar only for a while.
      if (round < 2) plain.observe(round)
      if (round === 2) inSpan(() => plain.observe(2))
      if (round === 3) plain.reset()
      NUMBERS.forEach((value, i) => {
        if (Number.isFinite(value)) gauge.set({ i }, value * round)
        foreign.set({ i: String(i) }, value)
      })
      inSpan(() => counter.inc({ to: 'traced', as: HOSTILE[round]! }, 2.5))
      for (const value of [-3, 0.25, 0.3, 7, 2e6]) inSpan(() => histogram.observe({ to: 'traced' }, value))
      logins.inc({ labels: { way: 'key' }, value: 1, exemplarLabels: round === 1 ? { only: 'x'.repeat(100) } : { trace_id: 'a'.repeat(32), who: 'ü' } })
      depth.add(round - 2)
      if (round === 2) counter.remove({ to: HOSTILE[3]!, as: HOSTILE[5]! })
      if (round === 3) for (let i = 0; i < 300; i++) gauge.set({ i: `more ${i}` }, i)
      if (round === 4) gauge.remove({ i: 'more 7' })

      const [text, openMetrics, families] = [await scrapeText(port, 'prometheus'), await scrapeText(port, 'openmetrics'), await scrapeProtobuf(port)]
      t.same(valuesOf(families.values()), valuesOf(text.values()), `round ${round}`)
      t.same([...families.keys()], [...text.keys()], 'in the same order')
      for (const { name, help, type } of text.values()) t.match(families.get(name), { help: help ?? '', type }, name)
      t.ok(valuesOf(families.values()).length > 150, 'there is much to compare')

      const units = [...openMetrics.values()].flatMap(({ name, type, unit }) => unit === undefined ? [] : [[type === 'counter' ? `${name}_total` : name, unit]])
      t.same([...families.values()].flatMap(({ name, unit }) => unit === '' ? [] : [[name, unit]]), units)
      t.ok(units.length >= 3)

      const shown = [...openMetrics.values()].flatMap(({ samples }) => samples).filter(({ name }) => !name.startsWith('vitals_'))
      const bound = (labels: Labels): Labels => labels['le'] === undefined ? labels : { ...labels, le: labels['le'] === '+Inf' ? '+Inf' : String(Number(labels['le'])) }
      const said = [...families.values()].flatMap(({ samples }) => samples).filter(({ exemplar, name }) => exemplar !== undefined && !name.startsWith('vitals_'))
      const exemplars = said.map(({ name, labels, exemplar }) => [keyOf(name, labels), exemplar!.labels, exemplar!.value, Math.round(exemplar!.timestampMs! * 1e3)])
      t.same(exemplars, shown.flatMap(({ name, labels, exemplar }) => exemplar === undefined ? [] : [[keyOf(name, bound(labels)), exemplar.labels, exemplar.value, Math.round(exemplar.timestamp! * 1e6)]]))
      t.ok(exemplars.length >= 6)

      const created = [...families.values()].filter(({ name }) => !name.startsWith('vitals_')).flatMap(({ name, created }) => created.map(({ labels, ms }) => `${keyOf(`${name.replace(/_total$/, '')}_created`, labels)} ${Math.round(ms * 1e3)}`))
      const inText = shown.filter(({ name }) => name.endsWith('_created')).map(({ name, labels, value }) => `${keyOf(name, labels)} ${Math.round(value * 1e6)}`)
      // The specification has no start for native histograms, and OpenMetrics' are lines of their own that only semconv has.
      if (naming === 'semconv') t.same(created, inText.filter(line => !line.startsWith('spread')))
      else t.same([inText.length, created.length > 40], [0, true])
    }
  })
}

t.test('exponential histograms are native, and have their fixed buckets as well', async t => {
  for (const naming of ['prometheus', 'semconv'] as const) {
    const { meter, port } = await open(t, { naming })
    const spread = meter.createHistogram('spread')
    const values = [0, 0, 0.001, 0.7, 1, 1, 2, 3, 1e6]
    for (const value of values) spread.record(value, { way: 'a' })
    const { natives: [native], samples, created } = (await scrapeProtobuf(port)).get('spread')!
    t.match(native, { count: 9, sum: values.reduce((sum, value) => sum + value), zeroCount: 2, zeroThreshold: 1e-128, labels: { way: 'a', otel_scope_name: 'shop' }, isStale: false })
    t.same(created, [])
    const base = 2 ** (2 ** -native!.schema)
    const direct = new Map<number, number>()
    for (const value of values.filter(value => value > 0)) {
      const index = [...native!.positive.keys()].find(index => value <= base ** index * (1 + 1e-12) && value > base ** (index - 1) * (1 + 1e-12))!
      direct.set(index, (direct.get(index) ?? 0) + 1)
    }
    t.same(native!.positive, direct)
    t.equal(native!.negative.size, 0)
    t.equal(samples.find(({ labels }) => labels['le'] === '+Inf')!.value, 9)
  }
})

t.test('a native histogram without a sum is stale as the specification says, with negative buckets', async t => {
  const { meter, port } = await open(t, { naming: 'semconv' })
  const swings = meter.createUpDownCounter('swings')
  for (const value of [-4, -4, 2, 0]) swings.add(value)
  const families = await scrapeProtobuf(port)
  const { natives: [native] } = families.get('swings')!
  t.match(native, { isStale: true, count: 4, zeroCount: 1 })
  t.same([[...native!.negative.values()], [...native!.positive.values()]], [[2], [1]])
})

t.test('what is too coarse is left out and said once; text shows it', async t => {
  const { meter, port, warnings } = await open(t)
  const coarse = meter.createHistogram('coarse')
  for (const value of [1e-300, 1e300]) coarse.record(value, { way: 'wide' })
  for (let i = 0; i < 2; i++) t.notOk((await scrapeProtobuf(port)).has('coarse'), 'no metric without series')
  for (const value of [1, 1.5]) coarse.record(value, { way: 'narrow' })
  const families = await scrapeProtobuf(port)
  t.same(families.get('coarse')!.natives.map(({ labels }) => labels['way']), ['narrow'])
  t.equal((await scrapeText(port, 'prometheus')).get('coarse')!.samples.filter(({ name }) => name === 'coarse_count').length, 2)
  t.match(warnings, [/^fastify-vitals: Prometheus is not shown some series of histogram coarse of shop over protobuf: a native histogram has a scale from -4 on, got: -\d+\. The text formats show them$/])
  t.equal(warnings.length, 1)
})

t.test('a metric that is exponential in part is shown in fixed buckets', async t => {
  const { meter, other, port } = await open(t)
  meter.createHistogram('mixed').record(3)
  t.equal((await scrapeProtobuf(port)).get('mixed')!.natives.length, 1)
  other.createHistogram('mixed', { advice: { explicitBucketBoundaries: [1] } }).record(3)
  const { natives, samples } = (await scrapeProtobuf(port)).get('mixed')!
  t.same([natives.length, samples.filter(({ name }) => name === 'mixed_count').length], [0, 2])
})

t.test('exponential histograms that are one series are one native histogram', async t => {
  const { meter, other, port } = await open(t, { scopeLabels: false })
  for (const meterOf of [meter, other]) meterOf.createHistogram('spread').record(3)
  const { natives } = (await scrapeProtobuf(port)).get('spread')!
  t.same(natives.map(({ count, sum, positive }) => [count, sum, [...positive.values()]]), [[2, 6, [2]]])
})

t.test('what joins may have counts that are not whole, and exemplars without a time', async t => {
  const odd = (name: string, type: string, values: object[]) => ({ name, help: name, type, aggregator: 'sum', values })
  const metrics = [
    odd('halves', 'histogram', [
      { metricName: 'halves_bucket', labels: { le: 1 }, value: 0.5, exemplar: { labelSet: { a: 'b' }, value: 1, timestamp: NaN } },
      { metricName: 'halves_bucket', labels: { le: '+Inf' }, value: 1.5 }, { metricName: 'halves_sum', labels: {}, value: 2 }, { metricName: 'halves_count', labels: {}, value: 1.5 }
    ]),
    odd('odd', 'summary', [{ labels: { quantile: 0.5 }, value: 1 }, { metricName: 'odd_sum', labels: {}, value: 2 }, { metricName: 'odd_count', labels: {}, value: 2.5 }]),
    odd('large', 'histogram', [{ metricName: 'large_bucket', labels: { le: '+Inf' }, value: 2 ** 63 }, { metricName: 'large_sum', labels: {}, value: -1 }, { metricName: 'large_count', labels: {}, value: 2 ** 63 }])
  ]
  const registry = { contentType: 'text/plain', getMetricsAsArray: () => metrics, getMetricsAsJSON: async () => metrics }
  const { port } = await open(t, { registries: [registry] })
  const families = await scrapeProtobuf(port)
  t.same(families.get('halves')!.samples.map(({ value }) => value), [0.5, 1.5, 2, 1.5])
  t.same(families.get('halves')!.samples[0]!.exemplar, { labels: { a: 'b' }, value: 1, timestampMs: undefined })
  t.same(families.get('odd')!.samples.map(({ value }) => value), [1, 2, undefined], 'a summary has no place for it')
  t.same(families.get('large')!.samples.map(({ value }) => value), [2 ** 63, -1, 2 ** 63])
})

t.test('a metric of many series is written in many small pieces of work, and what stays the same once', async t => {
  const registry = createRegistry({ limits: { series: 20_000, seriesPerMetric: 20_000 } })
  const histogram = registry.histogram({ name: 'wait_seconds', help: 'Waited.', unit: 'seconds', labels: ['i'] })
  for (let i = 0; i < 10_000; i++) histogram.observe({ i }, i / 1_000)
  const writer = new ProtobufWriter(new BinaryWriter(), () => {})
  const slices = [...writer.slices(registry.snapshot())]
  const before = slices.findIndex(slice => slice.length > 0)
  t.ok(before > 100, `${before} pieces before the length of the metric is known`)
  t.ok(slices.every(slice => slice.length < 100_000), 'small ones')
  const first = Buffer.concat(slices)
  t.equal(decodeFamilies(first).get('wait_seconds')!.samples.length, 150_000)
  const exposition = new Exposition(registry)
  const scrapes = await Promise.all(Array.from({ length: 3 }, async () => {
    const chunks: Buffer[] = []
    for await (const chunk of exposition.scrape('protobuf')) chunks.push(chunk)
    t.ok(chunks.every(chunk => chunk.length > 0))
    return Buffer.concat(chunks)
  }))
  for (const scrape of scrapes) t.ok(scrape.equals(first))
  histogram.observe({ i: 4_000 }, 2)
  const families = decodeFamilies(Buffer.concat([...writer.slices(registry.snapshot())]))
  t.same(families.get('wait_seconds')!.samples.filter(({ name, value }) => name === 'wait_seconds_count' && value !== 1).map(({ labels, value }) => [labels, value]), [[{ i: '4000' }, 2]])
  t.equal(decodeFamilies(Buffer.concat([...new ProtobufWriter(new BinaryWriter(), () => {}).slices(createRegistry({ recording: false }).snapshot())])).size, 0, 'an empty store is an empty answer')
})

t.test('a registry as it is: what is hidden stays so, what is too coarse needs nobody to be told', async t => {
  const registry = createRegistry()
  registry.hiddenHistogram({ name: 'hidden', help: 'Hidden.' }).observe({}, 1)
  registry.counter({ name: 'seen_total', help: 'Seen.' }).inc()
  const none = { offset: 0, counts: [] }
  const exponential = { scale: -9, zeroCount: 1, positive: none, negative: none }
  const series = [{ names: [], values: [], text: '' }]
  registry.addSource({
    description: 'a source',
    takenNames: () => [],
    collect: async () => [{ name: 'coarse', help: 'Coarse.', type: 'histogram', unit: undefined, scope: { name: 'shop' }, banks: [{ bounds: [], stride: 3, cells: Float64Array.of(1, 0, 0), series, exponential }] }]
  })
  const chunks: Buffer[] = []
  for await (const chunk of new Exposition(registry).scrape('protobuf')) chunks.push(chunk)
  const families = decodeFamilies(Buffer.concat(chunks))
  t.same([families.has('seen_total'), families.has('hidden'), families.has('coarse')], [true, false, false])
})
