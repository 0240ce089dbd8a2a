import type { HrTime } from '@opentelemetry/api'
import type { DataPoint, ExponentialHistogram, Histogram } from '@opentelemetry/sdk-metrics'
import type { Attributes } from '../series/otlp-identity.ts'
import type { Row } from './otlp-delta.ts'

const MS_PER_SECOND = 1_000
const NS_PER_MS = 1_000_000

/** ms since the epoch as OpenTelemetry's pair of seconds and nanoseconds. */
export function toHrTime (ms: number): HrTime {
  const seconds = Math.floor(ms / MS_PER_SECOND)
  return [seconds, Math.round((ms - seconds * MS_PER_SECOND) * NS_PER_MS)]
}

/** What a point of any kind has. The functions below write each field out: they run once for every series of a push. */
export interface PointFrame {
  readonly startTime: HrTime
  readonly endTime: HrTime
  readonly attributes: Attributes
}

/** A point of one value. */
export function toNumberPoint ({ startTime, endTime, attributes }: PointFrame, { cells, at }: Row): DataPoint<number> {
  return { startTime, endTime, attributes, value: cells[at]! } as DataPoint<number>
}

/** A histogram with fixed bounds; the last count is that above the last bound. */
export function toHistogramPoint ({ startTime, endTime, attributes }: PointFrame, { cells, at }: Row, bounds: readonly number[]): DataPoint<Histogram> {
  const count = cells[at]!
  const counts: number[] = []
  let above = count
  for (let i = 0; i < bounds.length; i++) {
    const inBucket = cells[at + 2 + i]!
    counts.push(inBucket)
    above -= inBucket
  }
  counts.push(above)
  return { startTime, endTime, attributes, value: { buckets: { boundaries: bounds as number[], counts }, sum: cells[at + 1]!, count } } as DataPoint<Histogram>
}

/** A histogram with exponential buckets. */
export function toExponentialPoint ({ startTime, endTime, attributes }: PointFrame, { cells, at, exponential }: Row): DataPoint<ExponentialHistogram> {
  const { scale, zeroCount, positive, negative } = exponential!
  const value = {
    count: cells[at]!,
    sum: cells[at + 1]!,
    scale,
    zeroCount,
    positive: { offset: positive.offset, bucketCounts: [...positive.counts] },
    negative: { offset: negative.offset, bucketCounts: [...negative.counts] }
  }
  return { startTime, endTime, attributes, value } as DataPoint<ExponentialHistogram>
}
