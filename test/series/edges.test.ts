import fastify from 'fastify'
import t from 'tap'
import vitals, { createRegistry } from '../../lib/index.ts'
import { openStore } from '../support/store.ts'

const help = 'For a test.'

t.test('an error shows no more of a long list than its beginning', async t => {
  const registry = createRegistry()
  const buckets = Array.from({ length: 25 }, (_, i) => -i)
  t.throws(() => registry.histogram({ name: 'a_seconds', help, buckets }), { code: 'FSV_ERR_INVALID_METRIC', message: /got: \[0, -1, .*-19, …\]$/ })
})

t.test('thrown things that are no errors are told too', async t => {
  const { vitals, warnings, scrape } = await openStore(t)
  vitals.gauge({ name: 'odd', help, collect: () => AbortSignal.abort('a string').throwIfAborted() })
  await scrape()
  t.match(warnings.join('\n'), /odd.*"a string"/)
  t.equal(vitals.read('vitals_record_errors_total', { metric: 'odd' }), 1)
})

t.test("the store's own metrics keep no books about themselves", async t => {
  const { vitals, warnings } = await openStore(t)
  const errors = vitals.counter({ name: 'vitals_record_errors_total', help, labels: ['metric'] })
  errors.inc({ metric: 'x' }, -1)
  errors.inc({ metric: 'x' })
  errors.remove({ metric: 'x' })
  t.equal(vitals.read('vitals_record_errors_total', { metric: 'x' }), undefined)
  t.strictSame(warnings, [])
})

t.test('an info that was removed is stated again, and the overflow of an info and a gauge counts', async t => {
  const { vitals } = await openStore(t, { limits: { seriesPerMetric: 1 } })
  const info = vitals.info({ name: 'build_info', help, labels: ['version'] })
  const one = info.with({ version: '1' })
  info.set({ version: '2' })
  t.equal(vitals.read('build_info', { overflow: 'true' }), 1)
  t.equal(vitals.read('vitals_series_overflow_total', { metric: 'build_info' }), 1)
  info.remove({ version: '1' })
  t.equal(vitals.read('build_info', { version: '1' }), undefined)
  one.set()
  t.equal(vitals.read('build_info', { version: '1' }), 1)

  const depth = vitals.gauge({ name: 'queue_depth', help, labels: ['queue'] })
  depth.set({ queue: 'a' }, 1)
  depth.set({ queue: 'b' }, 7)
  depth.inc({ queue: 'c' }, 2)
  depth.dec({ queue: 'd' })
  depth.inc({ queue: 'd' }, NaN)
  t.equal(vitals.read('queue_depth', { overflow: 'true' }), 8)
  t.equal(vitals.read('vitals_series_overflow_total', { metric: 'queue_depth' }), 3)
  const raised = depth.with({ queue: 'e' }).raise()
  t.equal(vitals.read('queue_depth', { overflow: 'true' }), 9)
  raised.lower()
  t.equal(vitals.read('queue_depth', { overflow: 'true' }), 8)
  t.equal(vitals.read('vitals_series_overflow_total', { metric: 'queue_depth' }), 5)
})

t.test('bound series that were removed follow their label set', async t => {
  const { vitals } = await openStore(t)
  const gauge = vitals.gauge({ name: 'depth', help, labels: ['q'] })
  const bound = gauge.with({ q: 'a' })
  gauge.remove({ q: 'a' })
  bound.set(4)
  gauge.remove({ q: 'a' })
  bound.inc()
  t.equal(vitals.read('depth', { q: 'a' }), 1)
})

t.test('what labels begin with and what a registry holds is warned of and kept apart', async t => {
  const { vitals, warnings } = await openStore(t)
  vitals.counter({ name: 'a_total', help, labels: ['_inner'] })
  t.match(warnings.join('\n'), /_inner.*underscore/)
  t.strictSame(vitals.registry.snapshot().families.find(family => family.name === 'a_total')!.banks[0]!.series, [])
})

t.test('labels that are none find and remove nothing', async t => {
  const { vitals } = await openStore(t)
  const counter = vitals.counter({ name: 'a_total', help, labels: ['a'] })
  counter.inc({ a: 'x' })
  counter.remove(null as never)
  t.equal(vitals.read('a_total', null as never), undefined)
  t.equal(vitals.read('a_total', { a: 'x' }), 1)
})

t.test('what a registry warned of before it was registered is logged once it is', async t => {
  const registry = createRegistry()
  registry.counter({ name: 'early', help })
  const { warnings } = await openStore(t, { registry })
  t.match(warnings.join('\n'), /counter early should end in _total/)
})

t.test('a registry brings its own limits, constant labels and exemplars', async t => {
  const registry = createRegistry()
  for (const [name, value] of [['limits', { series: 5 }], ['constantLabels', { region: 'x' }], ['exemplars', true]] as const) {
    const app = fastify()
    t.teardown(() => app.close())
    await t.rejects(async () => { await app.register(vitals, { registry, endpoint: false, [name]: value }) }, { code: 'FSV_ERR_INVALID_OPTION', message: new RegExp(`^Option ${name} `) })
  }
})

t.test('a snapshot tells the names and values of each series, as they were given', async t => {
  const registry = createRegistry()
  const given = { a: 'x="1",b="2"', b: 'back\\slash\nand "quotes"' }
  registry.counter({ name: 'a_total', help, labels: ['a', 'b'] }).inc(given)
  const [series] = registry.snapshot().families.find(family => family.name === 'a_total')!.banks[0]!.series
  t.strictSame(series!.names, ['a', 'b'])
  t.strictSame(series!.values, [given.a, given.b])
})
