import { AggregationType, MeterProvider } from '@opentelemetry/sdk-metrics'
import promClient from 'prom-client'
import t from 'tap'
import type { PromRegistry, VitalsOptions } from '../../lib/index.ts'
import { createMeterBridge } from '../../lib/index.ts'
import type { Labels, ParsedExposition } from '../support/exposition-grammar.ts'
import { startReceiver } from '../support/otlp-receiver.ts'
import { checkMetrics } from '../support/promtool.ts'
import { openStore } from '../support/store.ts'

/*
 * The rules of OpenTelemetry's compatibility specification for sums, histograms and summaries: since when they count, and
 * sums only of what is never negative.
 */

const receiver = await startReceiver(t)

/** A store that everything joins, and what records in it. */
async function open (t: Parameters<typeof openStore>[0], options: VitalsOptions) {
  const bridge = createMeterBridge()
  const provider = new MeterProvider({ readers: [bridge.reader], views: [{ instrumentName: 'spread', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }] })
  t.teardown(() => provider.shutdown())
  const prom = new promClient.Registry()
  const summary = new promClient.Summary({ name: 'sizes', help: 'Sizes.', percentiles: [0.01, 0.99], registers: [prom] })
  const store = await openStore(t, { meters: bridge, registries: [prom as unknown as PromRegistry], otlp: { endpoint: receiver.httpUrl, intervalMs: 3_600_000 }, ...options })
  const meter = provider.getMeter('shop', '2.1')
  return { ...store, meter, summary, spread: meter.createHistogram('spread') }
}

const keyOf = (name: string, labels: Labels): string => `${name} ${JSON.stringify(Object.entries(labels).filter(([label]) => !label.startsWith('otel_scope')).sort())}`

/** Starts by series, in ms. */
function pulled (exposition: ParsedExposition): Map<string, number> {
  const samples = [...exposition.values()].flatMap(({ samples }) => samples).filter(({ name }) => name.endsWith('_created') && !name.startsWith('vitals_'))
  return new Map(samples.map(({ name, labels, value }) => [keyOf(name, labels), Math.round(value * 1_000)]))
}

function tick (): void {
  for (const before = Date.now(); Date.now() === before;);
}

t.test('what only grows says since when it counts, as it is pushed', async t => {
  const { vitals, scrape, meter, summary, spread } = await open(t, { naming: 'semconv' })
  const tasks = vitals.counter({ name: 'tasks_total', help: 'Tasks.' })
  const jobs = vitals.counter({ name: 'jobs_total', help: 'Jobs.', labels: ['queue'] })
  const wait = vitals.histogram({ name: 'wait_seconds', help: 'Waited.', unit: 'seconds', labels: ['queue'], buckets: [1] })
  vitals.gauge({ name: 'depth', help: 'Depth.' }).set(1)
  vitals.info({ name: 'service_info', help: 'Service.', labels: ['version'] }).set({ version: '1' })
  const [orders, open_] = [meter.createCounter('orders'), meter.createUpDownCounter('open')]
  let before = new Map<string, number>()
  for (let round = 0; round < 3; round++) {
    tasks.inc()
    jobs.inc({ queue: 'mail' })
    wait.observe({ queue: 'mail' }, round)
    orders.add(1, { tier: 'gold' })
    open_.add(1)
    spread.record(round + 1)
    summary.observe(round)
    for (const metric of round === 2 ? [jobs, wait] : []) {
      tick()
      metric.reset()
    }
    receiver.take()
    await vitals.push()
    const starts = new Map<string, number>()
    for (const { name, kind, isMonotonic, points } of receiver.take().metrics.values()) {
      if (name.startsWith('vitals.') || (kind === 'sum' && !isMonotonic) || kind === 'gauge') continue
      // What the SDK cannot say as a summary is pushed as two sums.
      for (const { attributes, startMs } of points) starts.set(keyOf(`${name.replace(/_(?:total|sum|count)$/, '')}_created`, attributes as Labels), Math.round(startMs))
    }
    const shown = pulled(await scrape('openmetrics'))
    t.same([...shown.keys()].sort(), ['jobs_created [["queue","mail"]]', 'orders_created [["tier","gold"]]', 'sizes_created []', 'spread_created []', 'tasks_created []', 'wait_seconds_created [["queue","mail"]]'])
    t.same([...shown].sort(), [...starts].sort(), `round ${round}`)
    const later = [...shown].filter(([key, start]) => start > before.get(key)!).map(([key]) => key)
    t.same(later.sort(), round === 2 ? ['jobs_created [["queue","mail"]]', 'wait_seconds_created [["queue","mail"]]'] : [], 'a reset begins anew')
    before = shown
    t.equal(pulled(await scrape('prometheus')).size, 0, 'the older format cannot say it')
  }
  const plain = await open(t, { naming: 'prometheus' })
  plain.vitals.counter({ name: 'tasks_total', help: 'Tasks.' }).inc()
  t.equal(pulled(await plain.scrape('openmetrics')).size, 0)
})

t.test('sums are left out where values may be negative', async t => {
  for (const naming of ['semconv', 'prometheus'] as const) {
    const { vitals, scrape, meter, summary } = await open(t, { naming })
    for (const [name, buckets] of [['below', [-1, 1]], ['above', [0, 1]]] as const) {
      meter.createHistogram(name, { advice: { explicitBucketBoundaries: [...buckets] } }).record(0.5)
      vitals.histogram({ name: `own_${name}`, help: 'Own.', buckets }).observe(0.5)
    }
    const suffixesOf = async (format: 'prometheus' | 'openmetrics', family: string): Promise<string> => {
      const names = (await scrape(format)).get(family)!.samples.map(({ name }) => name.slice(family.length + 1))
      return [...new Set(names)].filter(suffix => suffix !== 'created').join()
    }
    const isSemconv = naming === 'semconv'
    for (const name of ['below', 'own_below']) {
      t.equal(await suffixesOf('prometheus', name), isSemconv ? 'bucket,count' : 'bucket,sum,count', `${naming}: ${name}`)
      t.equal(await suffixesOf('openmetrics', name), 'bucket', 'OpenMetrics has no count without a sum')
    }
    for (const name of ['above', 'own_above']) for (const format of ['prometheus', 'openmetrics'] as const) t.equal(await suffixesOf(format, name), 'bucket,sum,count')
    // The last value of a quantile, and of a sum.
    for (const [value, hasSum] of [[5, true], [-1, false], [-9, false]] as const) {
      summary.observe(value)
      for (const format of ['prometheus', 'openmetrics'] as const) t.equal(await suffixesOf(format, 'sizes'), hasSum || !isSemconv ? ',sum,count' : ',count', `${naming}: a summary with ${value}`)
    }
    t.ok((await checkMetrics(await vitals.render())).parses)
  }
})
