import t from 'tap'
import { Exposition } from '../../lib/export/exposition.ts'
import { contentType } from '../../lib/export/format.ts'
import { createRegistry } from '../../lib/index.ts'
import type { ExpositionFormat } from '../support/exposition-grammar.ts'
import { countSamples, findSample, parseExposition, sampleValue } from '../support/exposition-grammar.ts'
import { checkMetrics } from '../support/promtool.ts'
import { openStore, seededRandom } from '../support/store.ts'

const kFormats: readonly ExpositionFormat[] = ['prometheus', 'openmetrics']
const help = 'For the test.'

async function collect (chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const collected: Uint8Array[] = []
  for await (const chunk of chunks) collected.push(chunk)
  return Buffer.concat(collected)
}

/** UTF-8 has no lone surrogates: what stands for them is U+FFFD. */
function wellFormed (text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD')
}

const kAlphabet = [...'az09 _-{}=,#"\'\\\n\r\t|:;%/é€\u0000\u0001\u007F\u0085\u2028\u2029\uFEFF\uFFFD\uD800\uDC00\uDFFF', '😀', '\u0301', '\\n', '\\\\', '\\"', '"}', '# EOF\n', '# HELP', '{a="b"}', '+Inf']

t.test('every label value comes back exactly, in both formats', async t => {
  const { vitals, scrape } = await openStore(t, { limits: { seriesPerMetric: 5_000 } })
  const random = seededRandom(4_711)
  const counter = vitals.counter({ name: 'fuzz_total', help, labels: ['left', 'right'] })
  const word = () => Array.from({ length: Math.floor(random() * 12) }, () => kAlphabet[Math.floor(random() * kAlphabet.length)]).join('')
  const expected = new Map<string, { left: string, right: string, value: number }>()
  for (let i = 0; i < 3_000; i++) {
    const left = word()
    const right = word()
    counter.inc({ left, right }, i)
    const key = JSON.stringify([wellFormed(left), wellFormed(right)])
    const entry = expected.get(key) ?? { left: wellFormed(left), right: wellFormed(right), value: 0 }
    entry.value += i
    expected.set(key, entry)
  }
  for (const format of kFormats) {
    const scraped = await scrape(format)
    const samples = scraped.get(format === 'openmetrics' ? 'fuzz' : 'fuzz_total')!.samples
    const came = new Map(samples.map(({ labels, value }) => [JSON.stringify([labels.left ?? '', labels.right ?? '']), value]))
    t.equal(came.size, expected.size)
    const wrong = [...expected].filter(([key, { value }]) => came.get(key) !== value)
    t.strictSame(wrong, [])
  }
  const verdict = await checkMetrics(await vitals.render())
  t.ok(verdict.parses, verdict.complaints)
})

t.test('every help text comes back exactly, in both formats', async t => {
  const { vitals, scrape } = await openStore(t)
  const random = seededRandom(815)
  const texts = ['', ' ', 'plain', 'two  blanks ', '"quoted"', 'back\\slash', 'line\nfeed', 'ends with a backslash\\', '\\n', '\uD800 lone', 'é😀\u2028', '{a="b"} 5']
  for (let i = 0; i < 100; i++) texts.push(Array.from({ length: 10 }, () => kAlphabet[Math.floor(random() * kAlphabet.length)]).join('') + '.')
  for (const [i, text] of texts.entries()) vitals.gauge({ name: `g${i}`, help: text })
  for (const format of kFormats) {
    const scraped = await scrape(format)
    for (const [i, text] of texts.entries()) t.equal(scraped.get(`g${i}`)?.help ?? '', wellFormed(text), `help text ${i} as ${format}`)
  }
  t.ok((await checkMetrics(await vitals.render())).parses)
})

t.test('every number comes back exactly, in both formats', async t => {
  const { vitals, scrape } = await openStore(t)
  const random = seededRandom(99)
  const gauge = vitals.gauge({ name: 'numbers', help, labels: ['i'] })
  const numbers = [0, -0, 1, -1, 0.1, 0.1 + 0.2, 1e-7, 1e21, 1e20, 123456789012345680000, 2 ** 53, 2 ** 53 - 1, -(2 ** 53), 5e-324, Number.MAX_VALUE, -Number.MAX_VALUE, Number.EPSILON, 1 / 3, 1605281325123.5]
  const bits = new DataView(new ArrayBuffer(8))
  while (numbers.length < 1_000) {
    bits.setUint32(0, random() * 2 ** 32)
    bits.setUint32(4, random() * 2 ** 32)
    const value = bits.getFloat64(0)
    if (Number.isFinite(value)) numbers.push(value)
  }
  for (const [i, value] of numbers.entries()) gauge.set({ i }, value)
  for (const format of kFormats) {
    const scraped = await scrape(format)
    const came = new Map(scraped.get('numbers')!.samples.map(({ labels, value }) => [Number(labels.i), value]))
    t.strictSame(numbers.filter((value, i) => came.get(i)! + 0 !== value + 0), [])
  }
})

t.test('a sum past the largest float is infinite, and the text still parses', async t => {
  const { vitals, scrape } = await openStore(t)
  const counter = vitals.counter({ name: 'a_total', help })
  const gauge = vitals.gauge({ name: 'b', help })
  const histogram = vitals.histogram({ name: 'c_seconds', help })
  for (let i = 0; i < 3; i++) {
    counter.inc(Number.MAX_VALUE)
    gauge.dec(Number.MAX_VALUE)
    histogram.observe(Number.MAX_VALUE)
  }
  for (const format of kFormats) {
    const scraped = await scrape(format)
    t.equal(sampleValue(scraped, 'a_total'), Infinity)
    t.equal(sampleValue(scraped, 'b'), -Infinity)
    t.equal(sampleValue(scraped, 'c_seconds_sum'), Infinity)
  }
})

t.test('OpenMetrics says types, units and canonical bounds', async t => {
  const { vitals, scrape } = await openStore(t)
  vitals.counter({ name: 'cpu_seconds_total', help, unit: 'seconds' }).inc(1.5)
  vitals.histogram({ name: 'wait_seconds', help, unit: 'seconds', buckets: [1e-9, 0.00001, 0.0001, 0.1, 1, 10, 2.5, 100_000, 1e6, 1.1e23].sort((a, b) => a - b) })
  vitals.gauge({ name: 'size_bytes', help, unit: 'bytes' })
  vitals.info({ name: 'build_info', help, labels: ['version'] }).set({ version: '1' })
  const scraped = await scrape('openmetrics')
  t.equal(scraped.get('cpu_seconds')?.unit, 'seconds')
  t.equal(scraped.get('wait_seconds')?.unit, 'seconds')
  t.equal(scraped.get('size_bytes')?.unit, 'bytes')
  t.equal(scraped.get('build')?.type, 'info')
  const bounds = scraped.get('wait_seconds')?.samples.map(sample => sample.labels.le).filter(le => le !== undefined)
  t.strictSame(bounds, ['1e-09', '1e-05', '0.0001', '0.1', '1.0', '2.5', '10.0', '100000.0', '1e+06', '1.1e+23', '+Inf'])
  const text = await vitals.render({ format: 'openmetrics' })
  t.ok(text.endsWith('\n# EOF\n'))
})

t.test('the text format is the default, and each format has its content type', async t => {
  const { vitals } = await openStore(t)
  vitals.counter({ name: 'a_total', help }).inc()
  t.ok(parseExposition(await vitals.render(), 'prometheus').has('a_total'))
  t.notMatch(await vitals.render(), '# EOF')
  t.match(contentType('prometheus'), /^text\/plain; ?version=0\.0\.4; ?charset=utf-8$/)
  t.match(contentType('openmetrics'), /^application\/openmetrics-text; ?version=1\.0\.0; ?charset=utf-8$/)
  await t.rejects((async () => await vitals.render({ format: 'xml' as 'prometheus' }))(), { code: /^FSV_ERR_/ })
})

t.test('promtool has no complaint about well-named metrics', async t => {
  const { app, vitals } = await openStore(t)
  vitals.counter({ name: 'tasks_created_total', help: 'Tasks created.', labels: ['organization'] }).inc({ organization: 'acme' })
  vitals.gauge({ name: 'queue_depth', help: 'Tasks waiting.' }).set(3)
  vitals.histogram({ name: 'task_duration_seconds', help: 'From start to end.', labels: ['kind'] }).observe({ kind: 'a' }, 0.3)
  vitals.info({ name: 'service_info', help: 'This service.', labels: ['version'] }).set({ version: '1' })
  await app.inject('/nowhere')
  t.strictSame(await checkMetrics(await vitals.render()), { parses: true, complaints: '' })
})

t.test('a scrape is one instant, whatever happens between its slices', async t => {
  const registry = createRegistry({ limits: { seriesPerMetric: 20_000, series: 50_000 } })
  const counter = registry.counter({ name: 'a_total', help, labels: ['x'] })
  const histogram = registry.histogram({ name: 'b_seconds', help, labels: ['x'], buckets: [1, 2] })
  const kSeries = 5_000
  for (let x = 0; x < kSeries; x++) {
    counter.inc({ x: `é${x}` })
    histogram.observe({ x }, x % 3)
  }
  const exposition = new Exposition(registry)
  for (const format of kFormats) {
    const before = parseExposition(await exposition.render(format), format)
    const chunks: Uint8Array[] = []
    let step = 0
    for await (const chunk of exposition.scrape(format)) {
      chunks.push(chunk)
      for (let i = 0; i < 50; i++, step++) {
        const x = (step * 7) % kSeries
        histogram.observe({ x }, 0)
        histogram.remove({ x: (step * 13) % kSeries })
        counter.remove({ x: `é${x}` })
        counter.inc({ x: `new ${format} ${step}` }, 1_000)
      }
      if (step === 50) counter.reset()
      if (chunks.length === 2) registry.gauge({ name: `late_${format}`, help })
    }
    t.ok(chunks.length > 2, `${chunks.length} slices`)
    const scraped = parseExposition(Buffer.concat(chunks), format)
    const name = format === 'openmetrics' ? 'a' : 'a_total'
    const values = (exposition: typeof scraped, family: string) => exposition.get(family)!.samples.map(({ name, labels, value }) => JSON.stringify([name, labels, value])).sort()
    t.strictSame(values(scraped, name), values(before, name))
    t.strictSame(values(scraped, 'b_seconds'), values(before, 'b_seconds'))
    t.notOk(scraped.has(`late_${format}`))
  }
})

t.test('scrapes at the same time get the same whole text', async t => {
  const registry = createRegistry()
  const counter = registry.counter({ name: 'a_total', help, labels: ['x'] })
  for (let x = 0; x < 2_000; x++) counter.inc({ x })
  const exposition = new Exposition(registry)
  const abandoned = exposition.scrape('prometheus')[Symbol.asyncIterator]()
  await abandoned.next()
  const texts = await Promise.all([
    collect(exposition.scrape('prometheus')), collect(exposition.scrape('prometheus')), exposition.render('prometheus'), collect(exposition.scrape('openmetrics'))
  ])
  await abandoned.return?.()
  t.equal(texts[0].toString(), texts[1].toString())
  t.equal(texts[0].toString(), texts[2])
  t.equal(parseExposition(texts[0], 'prometheus').get('a_total')?.samples.length, 2_000)
  t.equal(parseExposition(texts[3], 'openmetrics').get('a')?.samples.length, 2_000)
  counter.inc({ x: 0 }, 10)
  t.equal(sampleValue(parseExposition(await exposition.render('prometheus'), 'prometheus'), 'a_total', { x: '0' }), 11, 'the next scrape is a new one')
})

t.test('an empty store gives a text that parses', async t => {
  const exposition = new Exposition(createRegistry())
  for (const format of kFormats) t.type(countSamples(parseExposition(await exposition.render(format), format)), 'number')
})

t.test('what was removed, reset and filled again is rendered as it is now', async t => {
  const { vitals, scrape } = await openStore(t)
  const gauge = vitals.gauge({ name: 'g', help, labels: ['x'] })
  for (const x of ['a', 'b', 'c']) gauge.set({ x }, 1)
  t.equal((await scrape()).get('g')?.samples.length, 3)
  gauge.remove({ x: 'a' })
  t.strictSame((await scrape()).get('g')?.samples.map(({ labels }) => labels.x).sort(), ['b', 'c'])
  gauge.set({ x: 'd' }, 4)
  gauge.set({ x: 'b' }, 2)
  const scraped = await scrape()
  t.equal(sampleValue(scraped, 'g', { x: 'b' }), 2)
  t.equal(sampleValue(scraped, 'g', { x: 'd' }), 4)
  t.equal(findSample(scraped, 'g', { x: 'a' }), undefined)
})

t.test('a series that takes the place of another in the same millisecond, with the same number, is shown under its own labels', async t => {
  const millisecond = Date.now()
  t.intercept(Date, 'now', { value: () => millisecond })
  const { vitals: store, scrape } = await openStore(t)
  const leader = store.gauge({ name: 'leader', help: 'Who leads.', labels: ['host'] })
  for (const [host, other] of [['a', 'b'], ['b', 'a']] as const) {
    leader.remove({ host: other })
    leader.set({ host }, 1)
    t.same((await scrape()).get('leader')!.samples.map(({ labels }) => labels), [{ host }])
  }
})
