import t from 'tap'
import { expectTypeOf } from 'expect-type'
import fastify from 'fastify'
import vitals, { createRegistry } from '../../lib/index.ts'
import { findSample, sampleValue } from '../support/exposition-grammar.ts'
import type { ExpositionFormat } from '../support/exposition-grammar.ts'
import { openStore } from '../support/store.ts'

const kFormats: readonly ExpositionFormat[] = ['prometheus', 'openmetrics']
const help = 'For the test.'

t.test('counts, with and without labels', async t => {
  const { vitals, scrape } = await openStore(t)
  const plain = vitals.counter({ name: 'a_total', help })
  const labelled = vitals.counter({ name: 'b_total', help, labels: ['color', 'size'] })
  plain.inc()
  plain.inc(2.5)
  plain.inc(0)
  labelled.inc({ color: 'red', size: 1 })
  labelled.inc({ size: '1', color: 'red' }, 3)
  labelled.inc({ color: 'blue', size: true })
  for (const format of kFormats) {
    const scraped = await scrape(format)
    t.equal(sampleValue(scraped, 'a_total'), 3.5)
    t.equal(sampleValue(scraped, 'b_total', { color: 'red', size: '1' }), 4)
    t.equal(sampleValue(scraped, 'b_total', { color: 'blue', size: 'true' }), 1)
    const family = scraped.get(format === 'openmetrics' ? 'b' : 'b_total')
    t.equal(family?.type, 'counter')
    t.equal(family?.help, help)
  }
  t.equal(vitals.read('a_total'), 3.5)
  t.equal(vitals.read('b_total', { color: 'red', size: '1' }), 4)
  t.equal(vitals.read('b_total', { size: 1, color: 'red' }), 4)
})

t.test('a metric without labels is shown as zero before its first record', async t => {
  const { vitals, scrape } = await openStore(t)
  vitals.counter({ name: 'a_total', help })
  vitals.gauge({ name: 'b', help })
  vitals.histogram({ name: 'c_seconds', help })
  const scraped = await scrape()
  t.equal(sampleValue(scraped, 'a_total'), 0)
  t.equal(sampleValue(scraped, 'b'), 0)
  t.equal(sampleValue(scraped, 'c_seconds_count'), 0)
  t.equal(sampleValue(scraped, 'c_seconds_sum'), 0)
})

t.test('a gauge goes up, down and anywhere', async t => {
  const { vitals, scrape } = await openStore(t)
  const plain = vitals.gauge({ name: 'plain', help })
  const labelled = vitals.gauge({ name: 'labelled', help, labels: ['room'] })
  plain.set(-7.5)
  plain.inc()
  plain.inc(2)
  plain.dec()
  plain.dec(0.5)
  plain.inc(-1)
  labelled.set({ room: 'a' }, 21)
  labelled.inc({ room: 'a' })
  labelled.dec({ room: 'a' }, 2)
  labelled.dec({ room: 'b' })
  const scraped = await scrape()
  t.equal(sampleValue(scraped, 'plain'), -7)
  t.equal(sampleValue(scraped, 'labelled', { room: 'a' }), 20)
  t.equal(sampleValue(scraped, 'labelled', { room: 'b' }), -1)
  t.equal(scraped.get('plain')?.type, 'gauge')
  t.equal(vitals.read('labelled', { room: 'b' }), -1)
})

t.test('a gauge can be read when it is scraped', async t => {
  const { vitals, scrape, warnings } = await openStore(t)
  let calls = 0
  const definition = {
    name: 'depth',
    help,
    labels: ['queue'] as const,
    collect: (gauge: { set: (labels: { queue: string }, value: number) => void }) => gauge.set({ queue: 'mail' }, ++calls)
  }
  const gauge = vitals.gauge(definition)
  t.equal(calls, 0)
  t.equal(sampleValue(await scrape(), 'depth', { queue: 'mail' }), 1)
  t.equal(vitals.gauge(definition), gauge)
  t.equal(sampleValue(await scrape(), 'depth', { queue: 'mail' }), 2, 'defining it again does not read it twice')
  vitals.gauge({ name: 'broken', help, collect: () => { throw new Error('no queue') } })
  for (let i = 0; i < 3; i++) t.equal(sampleValue(await scrape(), 'depth', { queue: 'mail' }), 3 + i)
  const after = await scrape()
  t.equal(sampleValue(after, 'vitals_record_errors_total', { metric: 'broken' }), 4)
  t.equal(warnings.filter(warning => /\bbroken\b/.test(warning)).length, 1)
})

t.test('a histogram counts a value in every bucket whose bound it does not pass', async t => {
  const { vitals, scrape } = await openStore(t)
  const sizes = vitals.histogram({ name: 'sizes_bytes', help, labels: ['kind'], buckets: [1, 2.5, 100_000, 1e21, Infinity] })
  for (const value of [0, 1, 1.0000001, 2.5, 3, 1e21, 1e22]) sizes.observe({ kind: 'x' }, value)
  for (const format of kFormats) {
    const scraped = await scrape(format)
    const family = scraped.get('sizes_bytes')
    t.equal(family?.type, 'histogram')
    const buckets = family?.samples.filter(sample => sample.name.endsWith('_bucket')).map(sample => [Number(sample.labels.le!.replace('+Inf', 'Infinity')), sample.value])
    t.strictSame(buckets, [[1, 2], [2.5, 4], [100_000, 5], [1e21, 6], [Infinity, 7]])
    t.equal(sampleValue(scraped, 'sizes_bytes_count', { kind: 'x' }), 7)
    t.equal(sampleValue(scraped, 'sizes_bytes_sum', { kind: 'x' }), 0 + 1 + 1.0000001 + 2.5 + 3 + 1e21 + 1e22)
  }
  t.strictSame(vitals.read('sizes_bytes', { kind: 'x' }), {
    count: 7,
    sum: 0 + 1 + 1.0000001 + 2.5 + 3 + 1e21 + 1e22,
    buckets: { 1: 2, 2.5: 4, 100000: 5, 1e21: 6, '+Inf': 7 }
  })
})

t.test('a histogram takes values below zero', async t => {
  const { vitals, scrape } = await openStore(t)
  const delta = vitals.histogram({ name: 'delta_celsius', help, buckets: [-10, 0, 10] })
  delta.observe(-20)
  delta.observe(5)
  t.equal(sampleValue(await scrape(), 'delta_celsius_sum'), -15)
  t.equal(sampleValue(await scrape(), 'delta_celsius_bucket', { le: '-10' }), 1)
  const scraped = await scrape('openmetrics')
  t.equal(scraped.get('delta_celsius')?.samples[0]?.value, 1)
  t.equal(findSample(scraped, 'delta_celsius_sum'), undefined, 'OpenMetrics forbids a sum beside a negative bound')
})

t.test('durations have the buckets of the catalogue unless others are asked for', async t => {
  const { vitals } = await openStore(t)
  vitals.histogram({ name: 'a_seconds', help })
  const value = vitals.read('a_seconds')
  t.ok(typeof value === 'object')
  t.strictSame(Object.keys((value as { buckets: object }).buckets).sort(), ['0.001', '0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '+Inf'].sort())
})

t.test('a change of the array after the definition changes nothing', async t => {
  const { vitals, scrape } = await openStore(t)
  const buckets = [1, 2]
  const labels = ['a'] as ['a']
  const histogram = vitals.histogram({ name: 'a_seconds', help, labels, buckets })
  buckets[0] = 5
  labels.pop()
  histogram.observe({ a: 'x' }, 1)
  t.equal(sampleValue(await scrape(), 'a_seconds_bucket', { a: 'x', le: '1' }), 1)
})

t.test('an info is always 1, whatever is done to it', async t => {
  const { vitals, scrape } = await openStore(t)
  const info = vitals.info({ name: 'service_info', help, labels: ['version', 'region'] })
  const bare = vitals.info({ name: 'bare_info', help })
  info.set({ version: '1.2.3', region: 'eu' })
  info.with({ version: '2.0.0', region: 'eu' })
  const labels = { version: '1.2.3', region: 'eu' }
  t.equal(sampleValue(await scrape(), 'service_info', labels), 1)
  t.equal((await scrape()).get('service_info')?.type, 'gauge', 'the text format has no info')
  const scraped = await scrape('openmetrics')
  t.equal(scraped.get('service')?.type, 'info')
  t.equal(sampleValue(scraped, 'service_info', labels), 1)
  t.equal(vitals.read('service_info', labels), 1)
  info.reset()
  bare.reset()
  t.ok(await scrape('openmetrics'))
  info.remove(labels)
  t.equal(sampleValue(await scrape('openmetrics'), 'service_info', labels), undefined)
})

t.test('label names are checked by the compiler', async t => {
  const { vitals } = await openStore(t)
  const counter = vitals.counter({ name: 'a_total', help, labels: ['color', 'size'] })
  type Value = string | number | boolean | bigint
  type Wanted = Readonly<{ color: Value, size: Value }>
  expectTypeOf(counter.inc).parameters.toEqualTypeOf<[labels: Wanted, value?: number]>()
  expectTypeOf(counter.with).parameters.toEqualTypeOf<[labels: Wanted]>()
  expectTypeOf(counter.remove).parameters.toEqualTypeOf<[labels: Wanted]>()
  expectTypeOf(counter.inc).toBeCallableWith({ color: 'red', size: 1 })
  expectTypeOf(counter.inc).toBeCallableWith({ color: 'red', size: 1 }, 2)
  expectTypeOf<[]>().not.toExtend<Parameters<typeof counter.inc>>()
  expectTypeOf<[number]>().not.toExtend<Parameters<typeof counter.inc>>()
  expectTypeOf<[{ color: string }]>().not.toExtend<Parameters<typeof counter.inc>>()
  expectTypeOf<[{ color: string, seize: string }]>().not.toExtend<Parameters<typeof counter.inc>>()
  expectTypeOf<[{ color: string, size: undefined }]>().not.toExtend<Parameters<typeof counter.inc>>()
  expectTypeOf<[{ color: string, size: object }]>().not.toExtend<Parameters<typeof counter.inc>>()
  expectTypeOf(counter.with({ color: 'a', size: 'b' }).inc).toEqualTypeOf<(value?: number) => void>()

  const plain = vitals.counter({ name: 'b_total', help })
  expectTypeOf(plain.inc).parameters.toEqualTypeOf<[value?: number]>()
  expectTypeOf<[{ color: string }]>().not.toExtend<Parameters<typeof plain.inc>>()

  const gauge = vitals.gauge({ name: 'c', help, labels: ['room'] })
  expectTypeOf(gauge.set).parameters.toEqualTypeOf<[labels: Readonly<{ room: Value }>, value: number]>()
  expectTypeOf<[number]>().not.toExtend<Parameters<typeof gauge.set>>()
  const histogram = vitals.histogram({ name: 'd_seconds', help, labels: ['route'], buckets: [1] })
  expectTypeOf(histogram.observe).parameters.toEqualTypeOf<[labels: Readonly<{ route: Value }>, value: number]>()
  const plainHistogram = vitals.histogram({ name: 'e_seconds', help })
  expectTypeOf(plainHistogram.observe).parameters.toEqualTypeOf<[value: number]>()
  const info = vitals.info({ name: 'f_info', help, labels: ['version'] })
  expectTypeOf(info.set).parameters.toEqualTypeOf<[labels: Readonly<{ version: Value }>]>()

  const dynamic: readonly string[] = ['x']
  const loose = vitals.counter({ name: 'g_total', help, labels: dynamic })
  expectTypeOf(loose.inc).toBeCallableWith({ anything: 'goes' })
  t.pass('compiled')
})

t.test('a bound series is the series of its labels', async t => {
  const { vitals, scrape } = await openStore(t)
  const counter = vitals.counter({ name: 'a_total', help, labels: ['x'] })
  const gauge = vitals.gauge({ name: 'b', help, labels: ['x'] })
  const histogram = vitals.histogram({ name: 'c_seconds', help, labels: ['x'], buckets: [1] })
  const bound = counter.with({ x: '1' })
  t.equal(sampleValue(await scrape(), 'a_total', { x: '1' }), 0, 'it is shown from the moment it is bound')
  bound.inc()
  bound.inc(2)
  counter.inc({ x: '1' })
  counter.with({ x: '1' }).inc()
  gauge.with({ x: '1' }).set(5)
  gauge.with({ x: '1' }).dec()
  gauge.with({ x: '1' }).inc(3)
  histogram.with({ x: '1' }).observe(1)
  const scraped = await scrape()
  t.equal(sampleValue(scraped, 'a_total', { x: '1' }), 5)
  t.equal(sampleValue(scraped, 'b', { x: '1' }), 7)
  t.equal(sampleValue(scraped, 'c_seconds_bucket', { x: '1', le: '1' }), 1)
})

t.test('a removed series is gone, and its bound holders record into a fresh one', async t => {
  const { vitals, scrape } = await openStore(t)
  const counter = vitals.counter({ name: 'a_total', help, labels: ['x'] })
  const gauge = vitals.gauge({ name: 'b', help, labels: ['x'] })
  const histogram = vitals.histogram({ name: 'c_seconds', help, labels: ['x'], buckets: [1] })
  const early = counter.with({ x: '1' })
  const boundGauge = gauge.with({ x: '1' })
  const boundHistogram = histogram.with({ x: '1' })
  const others = ['2', '3', '4'].map(x => counter.with({ x }))
  early.inc(10)
  for (const [i, other] of others.entries()) other.inc(i + 1)
  boundGauge.set(10)
  boundHistogram.observe(10)
  counter.remove({ x: '1' })
  counter.remove({ x: 'never there' })
  gauge.remove({ x: '1' })
  histogram.remove({ x: '1' })
  t.equal(vitals.read('a_total', { x: '1' }), undefined)
  const without = await scrape()
  t.equal(sampleValue(without, 'a_total', { x: '1' }), undefined)
  t.equal(sampleValue(without, 'c_seconds_count', { x: '1' }), undefined)
  t.strictSame(['2', '3', '4'].map(x => sampleValue(without, 'a_total', { x })), [1, 2, 3])

  early.inc(2)
  const late = counter.with({ x: '1' })
  late.inc()
  early.inc()
  boundGauge.inc()
  boundHistogram.observe(0.5)
  for (const other of others) other.inc(10)
  const scraped = await scrape()
  t.equal(sampleValue(scraped, 'a_total', { x: '1' }), 4)
  t.equal(sampleValue(scraped, 'b', { x: '1' }), 1)
  t.equal(sampleValue(scraped, 'c_seconds_count', { x: '1' }), 1)
  t.equal(sampleValue(scraped, 'c_seconds_sum', { x: '1' }), 0.5)
  t.strictSame(['2', '3', '4'].map(x => sampleValue(scraped, 'a_total', { x })), [11, 12, 13])

  counter.remove({ x: '1' })
  counter.remove({ x: '1' })
  early.inc()
  late.inc()
  t.equal(vitals.read('a_total', { x: '1' }), 2)
})

t.test('what is under way is taken back from the series that it was counted in', async t => {
  const { vitals } = await openStore(t)
  const gauge = vitals.gauge({ name: 'b', help, labels: ['x'] })
  const bound = gauge.with({ x: '1' })
  const value = (): unknown => vitals.read('b', { x: '1' })
  const early = bound.raise()
  bound.raise().lower()
  t.equal(value(), 1)
  gauge.remove({ x: '1' })
  const late = bound.raise()
  early.lower()
  t.equal(value(), 1, 'what was removed was not taken from its successor')
  late.lower()
  t.equal(value(), 0)
  const beforeReset = bound.raise()
  gauge.reset()
  beforeReset.lower()
  t.equal(value(), 0, 'never below zero')
})

t.test('the only series of a metric without labels can be bound and removed', async t => {
  const { vitals, scrape } = await openStore(t)
  const counter = vitals.counter({ name: 'a_total', help })
  const bound = counter.with({})
  bound.inc(2)
  t.equal(vitals.read('a_total', {}), 2)
  counter.remove({})
  t.equal(vitals.read('a_total'), undefined)
  for (const format of kFormats) t.equal(sampleValue(await scrape(format), 'a_total'), undefined)
  bound.inc()
  counter.inc()
  t.equal(sampleValue(await scrape(), 'a_total'), 2)
})

t.test('a snapshot does not change afterwards', async t => {
  const registry = createRegistry()
  const counter = registry.counter({ name: 'a_total', help, labels: ['x'] })
  for (const x of ['1', '2', '3']) counter.inc({ x }, Number(x))
  const snapshot = registry.snapshot()
  const values = () => snapshot.families.find(({ name }) => name === 'a_total')!.banks.flatMap(({ series, cells, stride }) => series.map(({ names, values }, i) => [names.join(), values.join(), cells[i * stride]]))
  const before = values()
  t.strictSame(before, [['x', '1', 1], ['x', '2', 2], ['x', '3', 3]])
  counter.inc({ x: '1' })
  counter.remove({ x: '1' })
  counter.inc({ x: '4' })
  counter.reset()
  registry.gauge({ name: 'late', help })
  t.strictSame(values(), before)
  t.notOk(snapshot.families.some(({ name }) => name === 'late'))
})

t.test('reset starts every series anew and leaves bound ones bound', async t => {
  const { vitals, scrape } = await openStore(t)
  const counter = vitals.counter({ name: 'a_total', help, labels: ['x'] })
  const histogram = vitals.histogram({ name: 'c_seconds', help, labels: ['x'], buckets: [1] })
  const bound = counter.with({ x: '1' })
  bound.inc(5)
  counter.inc({ x: '2' }, 5)
  histogram.observe({ x: '1' }, 1)
  counter.reset()
  histogram.reset()
  bound.inc()
  const scraped = await scrape()
  t.equal(sampleValue(scraped, 'a_total', { x: '1' }), 1)
  t.equal(sampleValue(scraped, 'a_total', { x: '2' }) ?? 0, 0)
  t.equal(sampleValue(scraped, 'c_seconds_count', { x: '1' }) ?? 0, 0)
  t.equal(sampleValue(scraped, 'c_seconds_sum', { x: '1' }) ?? 0, 0)
})

t.test('read answers undefined for what is not there', async t => {
  const { vitals } = await openStore(t)
  vitals.counter({ name: 'a_total', help, labels: ['x'] }).inc({ x: '1' })
  t.equal(vitals.read('a_total', { x: '1' }), 1)
  t.equal(vitals.read('a_total', { x: '2' }), undefined)
  t.equal(vitals.read('a_total', { x: '1', y: '1' }), undefined)
  t.equal(vitals.read('a_total'), undefined)
  t.equal(vitals.read('b_total'), undefined)
  t.equal(vitals.read('toString'), undefined)
  t.equal(vitals.read('__proto__'), undefined)
})

t.test('every series carries the constant labels', async t => {
  const { vitals, scrape } = await openStore(t, { constantLabels: { region: 'eu "west"\n\\1', zone: 'ü😀' } })
  vitals.counter({ name: 'a_total', help }).inc()
  vitals.histogram({ name: 'b_seconds', help, labels: ['x'] }).observe({ x: '1' }, 1)
  for (const format of kFormats) {
    const scraped = await scrape(format)
    for (const family of scraped.values()) {
      for (const sample of family.samples) t.match(sample.labels, { region: 'eu "west"\n\\1', zone: 'ü😀' })
    }
    t.equal(sampleValue(scraped, 'a_total', { region: 'eu "west"\n\\1', zone: 'ü😀' }), 1)
  }
  t.throws(() => vitals.counter({ name: 'c_total', help, labels: ['region'] }), { code: /^FSV_ERR_/, message: /region/ })
})

t.test('two applications can share one store, or have one each', async t => {
  const registry = createRegistry()
  const [one, two, three] = await Promise.all([openStore(t, { registry }), openStore(t, { registry }), openStore(t)])
  const definition = { name: 'a_total', help, labels: ['x'] } as const
  one.vitals.counter(definition).inc({ x: '1' })
  two.vitals.counter(definition).inc({ x: '1' })
  three.vitals.counter(definition).inc({ x: '1' })
  t.equal(sampleValue(await two.scrape(), 'a_total', { x: '1' }), 2)
  t.equal(sampleValue(await three.scrape(), 'a_total', { x: '1' }), 1)
  t.equal(one.vitals.registry, registry)
})

t.test('the same definition again is the same instrument', async t => {
  const { vitals, scrape, warnings } = await openStore(t)
  const counter = { name: 'a_total', help, labels: ['x', 'y'] } as const
  const histogram = { name: 'b_seconds', help, buckets: [1, 2] } as const
  t.equal(vitals.counter(counter), vitals.counter({ ...counter }))
  t.equal(vitals.histogram(histogram), vitals.histogram({ ...histogram, buckets: [1, 2, Infinity] }))
  t.equal(vitals.gauge({ name: 'c', help }), vitals.gauge({ name: 'c', help }))
  t.equal(vitals.info({ name: 'd_info', help }), vitals.info({ name: 'd_info', help }))
  t.ok(await scrape())
  t.strictSame(warnings, [])
})

t.test('the same name for something else is an error that says both', async t => {
  const { vitals } = await openStore(t)
  vitals.counter({ name: 'a_total', help, labels: ['color'] })
  vitals.histogram({ name: 'b_seconds', help, labels: ['color'], buckets: [1, 2] })
  t.throws(() => vitals.gauge({ name: 'a_total', help, labels: ['taste'] }), { code: /^FSV_ERR_/, message: /a_total.*counter.*color.*gauge.*taste/ })
  t.throws(() => vitals.counter({ name: 'a_total', help, labels: ['taste'] }), { code: /^FSV_ERR_/, message: /a_total.*color.*taste/ })
  t.throws(() => vitals.counter({ name: 'a_total', help }), { code: /^FSV_ERR_/, message: /a_total.*color.*no labels/ })
  t.throws(() => vitals.histogram({ name: 'b_seconds', help, labels: ['color'], buckets: [1, 3] }), { code: /^FSV_ERR_/, message: /b_seconds.*1.*2.*1.*3/ })
  t.throws(() => vitals.histogram({ name: 'b_seconds', help, labels: ['color'] }), { code: /^FSV_ERR_/, message: /b_seconds/ })
  t.throws(() => vitals.counter({ name: 'b_seconds', help, labels: ['color'] }), { code: /^FSV_ERR_/, message: /b_seconds.*histogram.*counter/ })
})

t.test('a metric that the plugin fills itself cannot be defined by the application', async t => {
  const { vitals } = await openStore(t)
  const labels = ['method', 'endpoint', 'status'] as const
  for (const unit of [{}, { unit: 'seconds' }, { unit: 'requests' }]) {
    t.throws(() => vitals.counter({ name: 'http_requests_total', help, labels, ...unit }), { code: /^FSV_ERR_/, message: /http_requests_total/ })
  }
  t.throws(() => vitals.counter({ name: 'vitals_series', help }), { code: /^FSV_ERR_/, message: /vitals_series/ })
})

t.test('names that one text cannot hold together are refused at definition', async t => {
  const define = {
    counter: (name: string) => ({ type: 'counter' as const, name }),
    gauge: (name: string) => ({ type: 'gauge' as const, name }),
    histogram: (name: string) => ({ type: 'histogram' as const, name }),
    info: (name: string) => ({ type: 'info' as const, name })
  }
  const clashes = [
    [define.histogram('a'), define.counter('a_count')],
    [define.histogram('a'), define.gauge('a_sum')],
    [define.histogram('a'), define.gauge('a_bucket')],
    [define.counter('a_total'), define.gauge('a')],
    [define.counter('a_total'), define.counter('a')],
    [define.counter('a_total'), define.histogram('a')],
    [define.counter('a_total'), define.gauge('a_created')],
    [define.histogram('a'), define.gauge('a_created')],
    [define.info('a_info'), define.gauge('a')],
    [define.info('a_info'), define.info('a')],
    [define.counter('a'), define.info('a_info')],
    [define.counter('a'), define.gauge('a_total')]
  ] as const
  for (const [first, second] of clashes) {
    for (const [one, other] of [[first, second], [second, first]] as const) {
      const { vitals, scrape } = await openStore(t)
      vitals[one.type]({ name: one.name, help })
      const what = `${other.type} ${other.name} after ${one.type} ${one.name}`
      let refused = false
      try {
        vitals[other.type]({ name: other.name, help })
      } catch (error) {
        refused = true
        t.match(error, { code: /^FSV_ERR_/, message: new RegExp(`\\b${one.name}\\b`) }, what)
      }
      if (refused) continue
      t.comment(`not refused: ${what}`)
      for (const format of kFormats) await t.resolves(scrape(format), `${what} gives a text that parses as ${format}`)
    }
  }
})

t.test('a breach of syntax is an error', async t => {
  const { vitals } = await openStore(t)
  const define = vitals.counter.bind(vitals) as (definition: unknown) => unknown
  const histogram = vitals.histogram.bind(vitals) as (definition: unknown) => unknown
  const gauge = vitals.gauge.bind(vitals) as (definition: unknown) => unknown
  for (const name of ['', '1a_total', 'a-b_total', 'a.b_total', 'a b', 'ä_total', 'a\n', ' a', 'a{', undefined, null, 5, {}, Symbol('a')]) {
    t.throws(() => define({ name, help }), { name: 'VitalsError', code: /^FSV_ERR_/ }, `name ${String(name)}`)
  }
  for (const label of ['', '1a', 'a-b', 'a:b', 'ä', '__a', '__name__', 'a"', 'a\n', undefined, null, 5, Symbol('a')]) {
    t.throws(() => define({ name: 'a_total', help, labels: [label] }), { name: 'VitalsError', code: /^FSV_ERR_/, message: /a_total/ }, `label ${String(label)}`)
  }
  t.throws(() => histogram({ name: 'a_seconds', help, labels: ['le'] }), { code: /^FSV_ERR_/, message: /le/ })
  for (const labels of ['abc', {}, 5, ['a', 'a'], null]) {
    t.throws(() => define({ name: 'a_total', help, labels }), { name: 'VitalsError', code: /^FSV_ERR_/, message: /a_total/ }, `labels ${String(labels)}`)
  }
  for (const buckets of [[], [2, 1], [1, 1], [NaN], ['1'], [1, undefined], 'abc', 5, {}, [-Infinity], [Infinity], [1, Infinity, 2]]) {
    t.throws(() => histogram({ name: 'a_seconds', help, buckets }), { name: 'VitalsError', code: /^FSV_ERR_/, message: /a_seconds/ }, `buckets ${String(buckets)}`)
  }
  for (const bad of [undefined, null, 5, {}]) {
    t.throws(() => define({ name: 'a_total', help: bad }), { name: 'VitalsError', code: /^FSV_ERR_/, message: /a_total/ }, `help ${String(bad)}`)
    t.throws(() => define(bad), { name: 'VitalsError', code: /^FSV_ERR_/ }, `definition ${String(bad)}`)
  }
  for (const collect of [5, 'now', {}, null]) {
    t.throws(() => gauge({ name: 'a', help, collect }), { name: 'VitalsError', code: /^FSV_ERR_/ }, `collect ${String(collect)}`)
  }
  for (const unit of [5, 'sec onds', 'minutes"']) {
    t.throws(() => gauge({ name: 'a_seconds', help, unit }), { name: 'VitalsError', code: /^FSV_ERR_/ }, `unit ${String(unit)}`)
  }
  t.throws(() => gauge({ name: 'a_latency', help, unit: 'seconds' }), { code: /^FSV_ERR_/, message: /seconds/ }, 'a unit that is not the suffix')
  t.equal(vitals.read('a_total'), undefined, 'a refused definition leaves nothing behind')
  t.ok(vitals.counter({ name: 'a_total', help }))
  t.ok(vitals.gauge({ name: 'a_seconds', help: 'The name is free still.' }))
})

t.test('a breach of convention is one warning', async t => {
  const { vitals, warnings, scrape } = await openStore(t)
  const breaches: ReadonlyArray<readonly [name: string, define: () => unknown]> = [
    ['tasks_created', () => vitals.counter({ name: 'tasks_created', help })],
    ['users_total', () => vitals.gauge({ name: 'users_total', help })],
    ['wait_ms', () => vitals.histogram({ name: 'wait_ms', help })],
    ['cpu_percent', () => vitals.gauge({ name: 'cpu_percent', help })],
    ['service_version', () => vitals.info({ name: 'service_version', help, labels: ['version'] })]
  ]
  for (const [name, define] of breaches) {
    define()
    define()
    t.equal(warnings.filter(warning => new RegExp(`\\b${name}\\b`).test(warning)).length, 1, name)
  }
  t.equal(warnings.length, breaches.length)
  for (const format of kFormats) t.ok(await scrape(format))
})

t.test('a label that promises high cardinality is one warning, unless it is meant', async t => {
  const { vitals, warnings } = await openStore(t)
  const labels = ['user_id', 'request_id', 'email', 'session_id', 'userId', 'trace_id', 'ip'] as const
  for (const [i, label] of labels.entries()) vitals.counter({ name: `a${i}_total`, help, labels: [label] })
  for (const [i, label] of labels.entries()) t.equal(warnings.filter(warning => warning.includes(label) && warning.includes(`a${i}_total`)).length, 1, label)
  const before = warnings.length
  vitals.counter({ name: 'b_total', help, labels, allowHighCardinality: true })
  vitals.counter({ name: 'c_total', help, labels: ['organization', 'status', 'grid', 'idle', 'mid', 'kid', 'valid', 'email_type', 'currency'] })
  t.equal(warnings.length, before)
})

t.test('switched off, the same interface records nothing', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(vitals, { enabled: false })
  app.get('/', async () => 'hello')
  await app.inject('/')
  t.equal(app.vitals.enabled, false)
  const counter = app.vitals.counter({ name: 'a_total', help, labels: ['x'] })
  const gauge = app.vitals.gauge({ name: 'b', help, collect: () => t.fail('nobody reads it') })
  const histogram = app.vitals.histogram({ name: 'c_seconds', help })
  const info = app.vitals.info({ name: 'd_info', help, labels: ['x'] })
  const bound = counter.with({ x: '1' })
  bound.inc()
  counter.inc({ x: '1' })
  counter.remove({ x: '1' })
  counter.reset()
  gauge.set(1)
  gauge.inc()
  gauge.dec()
  histogram.observe(1)
  info.set({ x: '1' })
  t.equal(app.vitals.read('a_total', { x: '1' }), undefined)
  t.equal(typeof await app.vitals.render(), 'string')
  t.equal((await app.inject('/v1/metrics')).statusCode, 404)
})

t.test('series and faults that come with a snapshot are counted in it', async t => {
  const { vitals, scrape } = await openStore(t)
  vitals.gauge({ name: 'depth', help, labels: ['queue'], collect: (gauge: { set: (labels: { queue: string }, value: number) => void }) => { for (const queue of ['mail', 'print']) gauge.set({ queue }, 1) } })
  vitals.gauge({ name: 'broken', help, collect: () => { throw new Error('no queue') } })
  const scraped = await scrape()
  t.equal(sampleValue(scraped, 'vitals_series', { metric: 'depth' }), 2)
  t.equal(sampleValue(scraped, 'vitals_series', { metric: 'vitals_record_errors_total' }), 1)
})

t.test('a collect that rejects is counted like one that throws', async t => {
  const { vitals, scrape, warnings } = await openStore(t)
  vitals.gauge({ name: 'late', help, collect: async () => { throw new Error('no queue yet') } })
  await scrape()
  const scraped = await scrape()
  t.equal(sampleValue(scraped, 'late'), 0)
  t.ok(sampleValue(await scrape(), 'vitals_record_errors_total', { metric: 'late' })! >= 1)
  t.equal(warnings.filter(warning => /\blate\b/.test(warning)).length, 1)
})
