import t from 'tap'
import fastify from 'fastify'
import vitals from '../../lib/index.ts'
import type { ParsedExposition } from '../support/exposition-grammar.ts'
import { parseExposition, sampleValue } from '../support/exposition-grammar.ts'
import { openStore, seededRandom } from '../support/store.ts'

const help = 'For the test.'

/** How many label sets of a metric a scrape shows, and what their values add up to. */
function total (scraped: ParsedExposition, family: string, sample = family): { series: number, sum: number } {
  const samples = scraped.get(family)?.samples.filter(({ name }) => name === sample) ?? []
  return { series: samples.length, sum: samples.reduce((sum, { value }) => sum + value, 0) }
}

type Untyped = Record<'inc' | 'dec' | 'set' | 'observe' | 'with' | 'remove', (...args: unknown[]) => void>

/** An instrument or a bound series without its types, to call it as JavaScript can. */
function untyped (instrument: object): Untyped {
  return instrument as Untyped
}

t.test('a metric past its limit of series records into one overflow series', async t => {
  const { vitals, scrape, warnings } = await openStore(t, { limits: { seriesPerMetric: 10 } })
  const counter = vitals.counter({ name: 'a_total', help, labels: ['x'] })
  for (let i = 0; i < 25; i++) counter.inc({ x: i }, 2)
  for (const format of ['prometheus', 'openmetrics'] as const) {
    const scraped = await scrape(format)
    const family = format === 'openmetrics' ? 'a' : 'a_total'
    t.strictSame(total(scraped, family, 'a_total'), { series: 11, sum: 50 })
    t.equal(sampleValue(scraped, 'a_total', { overflow: 'true' }), 30)
    t.equal(sampleValue(scraped, 'vitals_series_overflow_total', { metric: 'a_total' }), 15)
    t.equal(sampleValue(scraped, 'vitals_series', { metric: 'a_total' }), 10)
  }
  t.equal(vitals.read('a_total', { overflow: 'true' }), 30)
  t.equal(vitals.read('a_total', { x: '9' }), 2)
  t.equal(vitals.read('a_total', { x: '10' }), undefined)
  t.equal(warnings.length, 1)
  t.match(warnings[0], /a_total/)
})

t.test('the limit holds for ever and the first series go on', async t => {
  const { vitals, scrape, warnings } = await openStore(t, { limits: { seriesPerMetric: 5 } })
  const counter = vitals.counter({ name: 'a_total', help, labels: ['x'] })
  const first = counter.with({ x: 0 })
  for (let interval = 0; interval < 20; interval++) {
    for (let i = 0; i < 20; i++) counter.inc({ x: interval * 20 + i })
    first.inc()
    t.strictSame(total(await scrape(), 'a_total'), { series: 6, sum: (interval + 1) * 21 })
  }
  t.equal(vitals.read('a_total', { x: 0 }), 21)
  t.equal(warnings.length, 1)
})

t.test('gauges, histograms and infos overflow too', async t => {
  const { vitals, scrape } = await openStore(t, { limits: { seriesPerMetric: 2 } })
  const gauge = vitals.gauge({ name: 'b', help, labels: ['x'] })
  const histogram = vitals.histogram({ name: 'c_seconds', help, labels: ['x'], buckets: [1] })
  const info = vitals.info({ name: 'd_info', help, labels: ['x'] })
  for (let x = 0; x < 6; x++) {
    gauge.inc({ x }, 3)
    gauge.dec({ x })
    histogram.observe({ x }, x)
    info.set({ x })
  }
  const scraped = await scrape()
  t.equal(sampleValue(scraped, 'b', { overflow: 'true' }), 8)
  t.equal(sampleValue(scraped, 'c_seconds_count', { overflow: 'true' }), 4)
  t.equal(sampleValue(scraped, 'c_seconds_sum', { overflow: 'true' }), 14)
  t.equal(sampleValue(scraped, 'c_seconds_bucket', { overflow: 'true', le: '1' }), 0)
  t.strictSame(total(scraped, 'c_seconds', 'c_seconds_count'), { series: 3, sum: 6 })
  t.equal(sampleValue(scraped, 'vitals_series_overflow_total', { metric: 'b' }), 8)
  t.equal(sampleValue(scraped, 'vitals_series_overflow_total', { metric: 'c_seconds' }), 4)
  t.equal(total(scraped, 'd_info').series, 3)
  t.ok(await scrape('openmetrics'))
})

t.test('bound series past the limit share the overflow series', async t => {
  const { vitals, scrape } = await openStore(t, { limits: { seriesPerMetric: 1 } })
  const counter = vitals.counter({ name: 'a_total', help, labels: ['x'] })
  const [inside, one, other] = ['0', '1', '2'].map(x => counter.with({ x }))
  for (const bound of [inside, one, other]) {
    bound!.inc()
    bound!.inc(2)
    bound!.inc(NaN)
  }
  const scraped = await scrape()
  t.strictSame(total(scraped, 'a_total'), { series: 2, sum: 9 })
  t.equal(sampleValue(scraped, 'vitals_series_overflow_total', { metric: 'a_total' }), 4, 'a refused record does not overflow')
  t.equal(sampleValue(scraped, 'vitals_record_errors_total', { metric: 'a_total' }), 3)
})

t.test('a removed series makes room for another', async t => {
  const { vitals, scrape } = await openStore(t, { limits: { seriesPerMetric: 2 } })
  const counter = vitals.counter({ name: 'a_total', help, labels: ['x'] })
  const kept = counter.with({ x: 'kept' })
  counter.inc({ x: 'left' })
  counter.inc({ x: 'late' })
  t.equal(vitals.read('a_total', { x: 'late' }), undefined)
  counter.remove({ x: 'left' })
  counter.remove({ x: 'left' })
  counter.remove({ x: 'never there' })
  counter.inc({ x: 'late' }, 5)
  t.equal(vitals.read('a_total', { x: 'late' }), 5)
  counter.inc({ x: 'later' })
  kept.inc()
  t.strictSame(total(await scrape(), 'a_total'), { series: 3, sum: 8 })

  counter.remove({ x: 'kept' })
  counter.inc({ x: 'takes its place' })
  kept.inc(100)
  t.strictSame(total(await scrape(), 'a_total'), { series: 3, sum: 108 }, 'a bound series whose place is taken records into the overflow series')
})

t.test('the limit over all metrics holds, and every total stays true', async t => {
  const { vitals, scrape, warnings } = await openStore(t, { limits: { series: 50, seriesPerMetric: 40 } })
  const counters = ['a', 'b', 'c'].map(name => vitals.counter({ name: `${name}_total`, help, labels: ['x'] }))
  for (let x = 0; x < 100; x++) for (const counter of counters) counter.inc({ x })
  const late = vitals.counter({ name: 'late_total', help })
  late.inc(7)
  const scraped = await scrape()
  let held = 0
  for (const name of ['a_total', 'b_total', 'c_total']) {
    const { series, sum } = total(scraped, name)
    t.equal(sum, 100, name)
    held += series - 1
  }
  t.ok(held <= 50, `${held} series`)
  t.ok(held >= 30, `${held} series`)
  t.equal(total(scraped, 'late_total').sum, 7)
  t.equal(new Set(warnings).size, warnings.length)

  counters[0]!.remove({ x: 0 })
  counters[2]!.inc({ x: 'gets the place' })
  t.equal(vitals.read('c_total', { x: 'gets the place' }), 1)
})

t.test('requests past the limit are still counted, each once, and leave none in progress', async t => {
  const limits = [{ seriesPerMetric: 2 }, { series: 1 }, { series: 9 }]
  for (const limit of limits) {
    const app = fastify()
    t.teardown(() => app.close())
    await app.register(vitals, { enabled: true, endpoint: false, limits: limit })
    for (let route = 0; route < 6; route++) app.get(`/r${route}`, async (_request, reply) => { reply.code(200 + route); return 'x'.repeat(route) })
    for (let round = 0; round < 3; round++) {
      for (let route = 0; route < 6; route++) await app.inject(`/r${route}`)
      await app.inject(`/nowhere/${round}`)
    }
    for (const format of ['prometheus', 'openmetrics'] as const) {
      const scraped = parseExposition(await app.vitals.render({ format }), format)
      const what = `${JSON.stringify(limit)} as ${format}`
      t.equal(total(scraped, format === 'openmetrics' ? 'http_requests' : 'http_requests_total', 'http_requests_total').sum, 21, what)
      t.equal(total(scraped, 'http_request_duration_seconds', 'http_request_duration_seconds_count').sum, 21, what)
      t.equal(total(scraped, 'http_response_size_bytes', 'http_response_size_bytes_count').sum, 21, what)
      for (const { value } of scraped.get('http_requests_in_progress')?.samples ?? []) t.equal(value, 0, what)
      t.ok(sampleValue(scraped, 'vitals_series_overflow_total', { metric: 'http_request_duration_seconds' })! > 0, what)
    }
  }
})

t.test('2,000 series for each metric and 10,000 in all unless asked otherwise', async t => {
  const { vitals, scrape } = await openStore(t)
  for (let metric = 0; metric < 6; metric++) {
    const counter = vitals.counter({ name: `m${metric}_total`, help, labels: ['x'] })
    for (let x = 0; x < 2_500; x++) counter.inc({ x })
  }
  const scraped = await scrape()
  let held = 0
  for (let metric = 0; metric < 6; metric++) {
    const { series, sum } = total(scraped, `m${metric}_total`)
    t.equal(sum, 2_500)
    t.ok(series <= 2_001)
    held += series - 1
  }
  t.equal(total(scraped, 'm0_total').series, 2_001)
  t.ok(held <= 10_000 && held > 9_900, `${held} series`)
})

t.test('defining the same metric again takes no room', async t => {
  const { vitals, scrape } = await openStore(t, { limits: { series: 100 } })
  for (let i = 0; i < 1_000; i++) vitals.counter({ name: 'a_total', help }).inc()
  t.equal(vitals.read('a_total'), 1_000)
  const counter = vitals.counter({ name: 'b_total', help, labels: ['x'] })
  for (let x = 0; x < 20; x++) counter.inc({ x })
  t.strictSame(total(await scrape(), 'b_total'), { series: 20, sum: 20 })
})

t.test('a refused definition takes no room and reads nothing', async t => {
  const { vitals, scrape } = await openStore(t, { limits: { series: 50 } })
  vitals.histogram({ name: 'a_seconds', help })
  let reads = 0
  for (let i = 0; i < 100; i++) {
    t.throws(() => vitals.gauge({ name: 'a_seconds_sum', help, collect: () => { reads++ } }), { code: /^FSV_ERR_/ })
    t.throws(() => vitals.counter({ name: 'a_seconds', help }), { code: /^FSV_ERR_/ })
  }
  const counter = vitals.counter({ name: 'b_total', help, labels: ['x'] })
  for (let x = 0; x < 20; x++) counter.inc({ x })
  t.strictSame(total(await scrape(), 'b_total'), { series: 20, sum: 20 })
  t.equal(reads, 0)
})

t.test('a label named overflow does not meet the overflow series', async t => {
  const { vitals, scrape } = await openStore(t, { limits: { seriesPerMetric: 2 } })
  let counter
  try {
    counter = vitals.counter({ name: 'a_total', help, labels: ['overflow'] })
  } catch (error) {
    t.match(error, { code: /^FSV_ERR_/, message: /overflow/ })
    return
  }
  for (const overflow of ['true', 'false', 'x', 'y']) counter.inc({ overflow })
  for (const format of ['prometheus', 'openmetrics'] as const) t.ok(await scrape(format))
  t.strictSame(total(await scrape(), 'a_total'), { series: 3, sum: 4 })
})

t.test('a value that is no number, or no possible one, is refused, counted and logged once', async t => {
  const { vitals, scrape, warnings } = await openStore(t)
  const throwing = { valueOf () { throw new Error('valueOf') }, toString () { throw new Error('toString') } }
  const wrong = [NaN, Infinity, -Infinity, '2', 2n, Symbol('2'), throwing, Object.create(null), new Date(5), [2], true, null, () => 2]
  const counter = vitals.counter({ name: 'a_total', help, labels: ['x'] })
  const gauge = vitals.gauge({ name: 'b', help, labels: ['x'] })
  const histogram = vitals.histogram({ name: 'c_seconds', help, labels: ['x'] })
  const labels = { x: '1' }
  counter.inc(labels, 5)
  gauge.set(labels, 5)
  histogram.observe(labels, 5)
  for (const value of [...wrong, -1, -0.5]) {
    const what = typeof value === 'object' ? 'an object' : String(value)
    t.doesNotThrow(() => untyped(counter).inc(labels, value), `counter.inc of ${what}`)
    t.doesNotThrow(() => untyped(counter.with(labels)).inc(value), `bound counter.inc of ${what}`)
  }
  for (const value of wrong) {
    const what = typeof value === 'object' ? 'an object' : String(value)
    for (const method of ['set', 'inc', 'dec'] as const) {
      t.doesNotThrow(() => untyped(gauge)[method](labels, value), `gauge.${method} of ${what}`)
      t.doesNotThrow(() => untyped(gauge.with(labels))[method](value), `bound gauge.${method} of ${what}`)
    }
    t.doesNotThrow(() => untyped(histogram).observe(labels, value), `histogram.observe of ${what}`)
    t.doesNotThrow(() => untyped(histogram.with(labels)).observe(value), `bound histogram.observe of ${what}`)
  }
  t.doesNotThrow(() => untyped(gauge).set(labels))
  t.doesNotThrow(() => untyped(histogram).observe(labels))
  t.equal(vitals.read('a_total', labels), 5)
  t.equal(vitals.read('b', labels), 5)
  t.match(vitals.read('c_seconds', labels), { count: 1, sum: 5 })
  const scraped = await scrape()
  t.equal(sampleValue(scraped, 'vitals_record_errors_total', { metric: 'a_total' }), 2 * (wrong.length + 2))
  t.equal(sampleValue(scraped, 'vitals_record_errors_total', { metric: 'b' }), 6 * wrong.length + 1)
  t.equal(sampleValue(scraped, 'vitals_record_errors_total', { metric: 'c_seconds' }), 2 * wrong.length + 1)
  for (const name of ['a_total', 'b', 'c_seconds']) t.equal(warnings.filter(warning => new RegExp(`\\b${name}\\b`).test(warning)).length, 1, name)
})

t.test('a wrong value without labels is refused too', async t => {
  const { vitals } = await openStore(t)
  const counter = vitals.counter({ name: 'a_total', help })
  const gauge = vitals.gauge({ name: 'b', help })
  const histogram = vitals.histogram({ name: 'c_seconds', help })
  for (const value of ['2', null, true, 2n, Symbol('2'), NaN, -Infinity]) {
    t.doesNotThrow(() => untyped(counter).inc(value))
    t.doesNotThrow(() => untyped(gauge).set(value))
    t.doesNotThrow(() => untyped(gauge).inc(value))
    t.doesNotThrow(() => untyped(gauge).dec(value))
    t.doesNotThrow(() => untyped(histogram).observe(value))
  }
  t.equal(vitals.read('a_total'), 0)
  t.equal(vitals.read('b'), 0)
  t.match(vitals.read('c_seconds'), { count: 0 })
})

t.test('a missing label is recorded as empty and an unknown one ignored, both reported', async t => {
  const { vitals, scrape, warnings } = await openStore(t)
  const counter = vitals.counter({ name: 'a_total', help, labels: ['x', 'y'] })
  const bare = untyped(counter)
  bare.inc({ x: '1' })
  bare.inc({ x: '1', y: '' })
  bare.inc({})
  bare.inc()
  bare.inc(null)
  bare.inc('text')
  bare.inc(5)
  bare.inc({ x: '1', y: '2', z: '3' })
  bare.inc({ x: '1', z: '3' })
  t.equal(vitals.read('a_total', { x: '1', y: '' }), 3)
  t.equal(vitals.read('a_total', { x: '1', y: '2' }), 1)
  const scraped = await scrape()
  const family = total(scraped, 'a_total')
  t.ok(family.sum >= 8, `${family.sum} records`)
  t.equal(family.series, 3)
  t.equal(sampleValue(scraped, 'a_total', { x: '1' }), 3)
  const errors = sampleValue(scraped, 'vitals_record_errors_total', { metric: 'a_total' })
  t.ok(errors !== undefined && errors >= 8, `${errors} errors`)
  t.equal(new Set(warnings).size, warnings.length, 'each is logged once')
  t.ok(warnings.some(warning => /\by\b/.test(warning) && /a_total/.test(warning)))
  t.ok(warnings.some(warning => /\bz\b/.test(warning) && /a_total/.test(warning)))

  const plain = vitals.counter({ name: 'b_total', help })
  untyped(plain).inc({ x: '1' })
  untyped(plain).inc({ x: '1' }, 2)
  t.ok(vitals.read('b_total') !== undefined)
  t.equal(total(await scrape(), 'b_total').series, 1)
})

t.test('a label value that is no text becomes empty and is reported', async t => {
  const { vitals, scrape, warnings } = await openStore(t)
  const gauge = vitals.gauge({ name: 'a', help, labels: ['x'] })
  const wrong = [{}, [], null, undefined, Symbol('s'), () => 1, Object.create(null), new Date(0), { toString () { throw new Error('toString') } }]
  for (const x of wrong) {
    t.doesNotThrow(() => untyped(gauge).inc({ x }))
    t.doesNotThrow(() => untyped(gauge).with({ x }))
  }
  t.equal(vitals.read('a', { x: '' }), wrong.length)
  const scraped = await scrape()
  t.equal(total(scraped, 'a').series, 1)
  t.equal(sampleValue(scraped, 'vitals_record_errors_total', { metric: 'a' }), 2 * wrong.length)
  t.ok(warnings.length >= 1 && warnings.length <= 3, `${warnings.length} warnings`)
})

t.test('numbers, booleans and bigints are label values', async t => {
  const { vitals } = await openStore(t)
  const counter = vitals.counter({ name: 'a_total', help, labels: ['x'] })
  for (const x of [1, -0, 1e21, NaN, true, false, 12345678901234567890n]) counter.inc({ x })
  for (const x of ['1', '0', '1e+21', 'NaN', 'true', 'false', '12345678901234567890']) t.equal(vitals.read('a_total', { x }), 1, x)
})

t.test('labels and metrics named like what every object has are ordinary', async t => {
  const { vitals, scrape } = await openStore(t)
  const labels = ['constructor', 'toString', 'hasOwnProperty'] as const
  const counter = vitals.counter({ name: 'toString', help, labels })
  vitals.gauge({ name: 'constructor', help }).set(5)
  vitals.gauge({ name: 'hasOwnProperty', help }).set(6)
  counter.inc({ constructor: 'a', toString: 'b', hasOwnProperty: 'c' })
  untyped(counter).inc({})
  untyped(counter).inc(Object.assign(Object.create(null), { constructor: 'a', toString: 'b', hasOwnProperty: 'c' }))
  const scraped = await scrape()
  t.equal(sampleValue(scraped, 'toString', { constructor: 'a', toString: 'b', hasOwnProperty: 'c' }), 2)
  t.equal(sampleValue(scraped, 'toString'), 1)
  t.equal(sampleValue(scraped, 'constructor'), 5)
  t.equal(sampleValue(scraped, 'hasOwnProperty'), 6)
  t.equal(sampleValue(scraped, 'vitals_record_errors_total', { metric: 'toString' }), 3)
})

t.test('labels that throw when they are read do not throw into the caller', async t => {
  const { vitals, scrape } = await openStore(t)
  const counter = vitals.counter({ name: 'a_total', help, labels: ['x'] })
  const getter = { get x (): string { throw new Error('getter') } }
  const proxy = new Proxy({ x: '1' }, { get () { throw new Error('get') }, ownKeys () { throw new Error('ownKeys') } })
  const { proxy: revoked, revoke } = Proxy.revocable({ x: '1' }, {})
  revoke()
  for (const labels of [getter, proxy, revoked]) {
    t.doesNotThrow(() => untyped(counter).inc(labels))
    t.doesNotThrow(() => untyped(counter).remove(labels))
  }
  const errors = sampleValue(await scrape(), 'vitals_record_errors_total', { metric: 'a_total' })
  t.ok(errors !== undefined && errors >= 3, `${errors} errors`)
})

t.test('a label value of a megabyte is cut and reported', async t => {
  const { vitals, scrape, warnings } = await openStore(t)
  const counter = vitals.counter({ name: 'a_total', help, labels: ['x'] })
  counter.inc({ x: 'a'.repeat(1_024) })
  t.equal(warnings.length, 0)
  counter.inc({ x: 'a'.repeat(1_000_000) })
  counter.inc({ x: 'b'.repeat(1_025) })
  counter.inc({ x: '😀'.repeat(500_000) })
  counter.inc({ x: `b${'😀'.repeat(500_000)}` })
  counter.inc({ x: '"'.repeat(1_000_000) })
  for (const format of ['prometheus', 'openmetrics'] as const) {
    const scraped = await scrape(format)
    t.equal(sampleValue(scraped, 'a_total', { x: 'a'.repeat(1_024) }), 2)
    t.equal(sampleValue(scraped, 'a_total', { x: 'b'.repeat(1_024) }), 1)
    t.equal(sampleValue(scraped, 'a_total', { x: '😀'.repeat(512) }), 1)
    t.equal(sampleValue(scraped, 'a_total', { x: '"'.repeat(1_024) }), 1)
    t.equal(total(scraped, format === 'openmetrics' ? 'a' : 'a_total', 'a_total').series, 5)
    t.equal(sampleValue(scraped, 'vitals_record_errors_total', { metric: 'a_total' }), 5)
  }
  t.equal(warnings.length, 1)
  t.ok(warnings[0]!.length < 1_000)
})

t.test('unknown label names of a stranger fill neither the log nor the memory', async t => {
  const { vitals, warnings } = await openStore(t)
  const counter = vitals.counter({ name: 'a_total', help, labels: ['x'] })
  for (let i = 0; i < 5_000; i++) untyped(counter).inc({ x: '1', [`query_${i}`]: '1' })
  untyped(counter).inc({ x: '1', ['n'.repeat(100_000)]: '1' })
  t.equal(vitals.read('a_total', { x: '1' }), 5_001)
  t.ok(warnings.length < 20, `${warnings.length} warnings`)
  t.ok(warnings.every(warning => warning.length < 2_000))
})

t.test('label sets that look alike stay apart', async t => {
  const { vitals, scrape } = await openStore(t)
  const counter = vitals.counter({ name: 'a_total', help, labels: ['a', 'b'] })
  const alike = [
    ['x|y', 'z'], ['x', 'y|z'],
    ['x,b:y', 'z'], ['x', 'b:y,z'],
    ['x",b="y', 'z'], ['x', '",b="z'],
    ['x\\', '",b="'], ['x\\"', 'b="'],
    ['\n', ''], ['\\n', ''], ['', '\n'], ['', '\\n'],
    ['', ''], [' ', ''], ['', ' '],
    ['\0', ''], ['', '\0'], ['\u0001', ''],
    ['é', ''], ['e\u0301', ''],
    ['__proto__', 'constructor'], ['constructor', '__proto__'],
    ['undefined', 'null'], ['null', 'undefined'],
    ['1', '11'], ['11', '1']
  ] as const
  for (const [i, [a, b]] of alike.entries()) counter.inc({ a, b }, i + 1)
  for (const format of ['prometheus', 'openmetrics'] as const) {
    const scraped = await scrape(format)
    for (const [i, [a, b]] of alike.entries()) t.equal(sampleValue(scraped, 'a_total', { a, b }), i + 1, JSON.stringify([a, b]))
  }
  for (const [i, [a, b]] of alike.entries()) t.equal(vitals.read('a_total', { a, b }), i + 1)
})

t.test('any order of records, removals and resets gives what a plain map gives', async t => {
  const { vitals, scrape } = await openStore(t, { limits: { seriesPerMetric: 30 } })
  const random = seededRandom(20_260_101)
  const counter = vitals.counter({ name: 'a_total', help, labels: ['x'] })
  const histogram = vitals.histogram({ name: 'b_seconds', help, labels: ['x'], buckets: [0.25, 0.5, 0.75] })
  const model = new Map<string, { count: number, values: number[] }>()
  const bound = new Map<string, { inc: (value?: number) => void }>()
  let overflow = 0
  const admit = (x: string) => model.has(x) || model.size < 30
  for (let step = 0; step < 20_000; step++) {
    const x = String(Math.floor(random() * 40))
    const action = random()
    const value = Math.floor(random() * 8)
    if (action < 0.02) {
      counter.remove({ x })
      histogram.remove({ x })
      model.delete(x)
    } else if (action < 0.0205) {
      counter.reset()
      histogram.reset()
      overflow = 0
      for (const entry of model.values()) Object.assign(entry, { count: 0, values: [] })
    } else {
      const inside = admit(x)
      const entry = model.get(x) ?? { count: 0, values: [] }
      if (inside) model.set(x, entry)
      if (action < 0.5 && inside) {
        const series = bound.get(x) ?? counter.with({ x })
        bound.set(x, series)
        series.inc(value)
      } else {
        counter.inc({ x }, value)
      }
      histogram.observe({ x }, value / 8)
      if (inside) {
        entry.count += value
        entry.values.push(value / 8)
      } else {
        overflow += value
      }
    }
  }
  const scraped = await scrape()
  for (const [x, { count, values }] of model) {
    t.equal(sampleValue(scraped, 'a_total', { x }), count)
    t.equal(sampleValue(scraped, 'b_seconds_count', { x }), values.length)
    for (const le of [0.25, 0.5, 0.75]) {
      t.equal(sampleValue(scraped, 'b_seconds_bucket', { x, le: String(le) }), values.filter(value => value <= le).length)
    }
  }
  t.equal(sampleValue(scraped, 'a_total', { overflow: 'true' }), overflow)
  t.equal(total(scraped, 'a_total').series, model.size + 1)
})
