import type { HrTime } from '@opentelemetry/api'
import { AggregationType, MeterProvider } from '@opentelemetry/sdk-metrics'
import type { Histogram, MetricData } from '@opentelemetry/sdk-metrics'
import * as promClient from 'prom-client'
import t from 'tap'
import { createMeterBridge } from '../../lib/index.ts'
import { OtlpProducer } from '../../lib/export/otlp-producer.ts'
import { Random } from '../support/random.ts'
import { openStore } from '../support/store.ts'

const KEYS = 12
const NAMES = ['jobs_total', 'size_bytes', 'wait']

/** What was recorded in each series since it was made, and what of that arrived, as the count and the sum of values. */
type Ledger = Map<string, [count: number, sum: number]>

function note (ledger: Ledger, series: string, count: number, sum: number): void {
  const [countBefore, sumBefore] = ledger.get(series) ?? [0, 0]
  ledger.set(series, [countBefore + count, sumBefore + sum])
}

t.test('deltas that arrive add up to what was recorded, whichever series come and go and whichever messages are lost', async t => {
  const random = new Random(7)
  const below = (limit: number): number => random.below(limit)
  const bridge = createMeterBridge()
  const provider = new MeterProvider({ readers: [bridge.reader], views: [{ instrumentName: 'wait', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }] })
  t.teardown(() => provider.shutdown())
  const { vitals } = await openStore(t, { meters: bridge })
  const producer = new OtlpProducer(vitals.registry, { isDelta: true, isConfirmed: true })
  const jobs = vitals.counter({ name: 'jobs_total', help: 'Jobs.', labels: ['key'] })
  const size = vitals.histogram({ name: 'size_bytes', help: 'Sizes.', labels: ['key'], unit: 'bytes', buckets: [1, 10, 20] })
  const wait = provider.getMeter('shop').createHistogram('wait')
  const recorded: Ledger = new Map()
  const arrived: Ledger = new Map()
  /** The end of the last point of a series that arrived. */
  const ends = new Map<string, HrTime>()
  const gaps: string[] = []

  const record = (): void => {
    const key = below(KEYS)
    const value = 1 + below(30)
    jobs.inc({ key }, value)
    size.observe({ key }, value)
    wait.record(value, { key: key % 3 })
    note(recorded, `jobs_total ${key}`, value, value)
    note(recorded, `size_bytes ${key}`, 1, value)
    note(recorded, `wait ${key % 3}`, 1, value)
  }

  /** What did not arrive of a series that is removed never will. */
  const remove = (): void => {
    const key = below(KEYS)
    jobs.remove({ key })
    size.remove({ key })
    for (const ledger of [recorded, arrived, ends]) for (const name of ['jobs_total', 'size_bytes']) ledger.delete(`${name} ${key}`)
  }

  /** As many of the points of each metric arrive as `take` says. */
  const push = async (take: (points: number) => number): Promise<void> => {
    const { scopeMetrics } = (await producer.collect()).resourceMetrics
    const taken = scopeMetrics.map(({ scope, metrics }) => ({
      scope,
      metrics: metrics.filter(({ descriptor }) => NAMES.includes(descriptor.name)).map(metric => ({ ...metric, dataPoints: metric.dataPoints.slice(0, take(metric.dataPoints.length)) }) as MetricData)
    }))
    for (const { descriptor, dataPoints } of taken.flatMap(({ metrics }) => metrics)) {
      for (const { attributes, value, startTime, endTime } of dataPoints) {
        const series = `${descriptor.name} ${attributes['key']}`
        const end = ends.get(series)
        if (end !== undefined && String(startTime) !== String(end)) gaps.push(`${series} ${startTime} ${end}`)
        ends.set(series, endTime)
        const { count, sum } = typeof value === 'number' ? { count: value, sum: value } : value as Histogram
        note(arrived, series, count, sum!)
      }
    }
    producer.confirm({ resource: undefined as never, scopeMetrics: taken })
  }

  for (let round = 0; round < 200; round++) {
    for (let i = below(10); i > 0; i--) record()
    if (below(4) === 0) remove()
    await push(points => below(points + 2))
  }
  await push(points => points)
  t.same([...arrived].sort(), [...recorded].sort())
  t.same(gaps, [], 'each begins where the last that arrived ended')
  t.ok(recorded.size > 10)
})

t.test('series that are made anew with other buckets count from there', async t => {
  const register = new promClient.Registry()
  const { vitals } = await openStore(t, { registries: [register] })
  const producer = new OtlpProducer(vitals.registry, { isDelta: true })
  const make = (buckets: number[]): promClient.Histogram<'key'> => {
    register.clear()
    return new promClient.Histogram({ name: 'took', help: 'Took.', labelNames: ['key'], buckets, registers: [register] })
  }
  const collected = async (): Promise<unknown[]> => {
    const { scopeMetrics } = (await producer.collect()).resourceMetrics
    return scopeMetrics.flatMap(({ metrics }) => metrics).find(({ descriptor }) => descriptor.name === 'took')!.dataPoints.map(({ value }) => (value as Histogram).buckets.counts)
  }
  for (const buckets of [[1], [1, 2, 3], [1, 2]]) {
    const took = make(buckets)
    const none = [...buckets, Infinity].map(() => 0)
    const first = none.with(0, 1)
    for (const key of ['a', 'b', 'c']) took.observe({ key }, 0.5)
    t.same(await collected(), [first, first, first])
    t.same(await collected(), [none, none, none])
    took.observe({ key: 'b' }, 0.5)
    t.same(await collected(), [none, first, none])
  }
})
