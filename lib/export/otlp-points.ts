import type { HrTime } from '@opentelemetry/api'
import type { DataPoint, ExponentialHistogram, Histogram } from '@opentelemetry/sdk-metrics'
import type { ExponentialBuckets } from '../series/exponential.ts'
import type { Attributes } from '../series/otlp-identity.ts'

const MS_PER_SECOND = 1_000
const NS_PER_MS = 1_000_000

/** ms since the epoch as OpenTelemetry's pair of seconds and nanoseconds. */
export function toHrTime (ms: number): HrTime {
  const seconds = Math.floor(ms / MS_PER_SECOND)
  return [seconds, Math.round((ms - seconds * MS_PER_SECOND) * NS_PER_MS)]
}

/** Rows of a bank, one behind the other. */
export interface Rows {
  readonly cells: Float64Array
  /** The exponential histogram of the one series that such a bank has. */
  readonly exponential: ExponentialBuckets | undefined
}

// These run once for every series of a push: they take what they need one by one, and make nothing but the point.

/** A point of one value, from the row that begins there. */
export function toNumberPoint (startTime: HrTime, endTime: HrTime, attributes: Attributes, cells: Float64Array, at: number): DataPoint<number> {
  return { startTime, endTime, attributes, value: cells[at]! } as DataPoint<number>
}

/** A histogram with fixed bounds; the last count is that above the last bound. */
export function toHistogramPoint (startTime: HrTime, endTime: HrTime, attributes: Attributes, cells: Float64Array, at: number, boundaries: number[]): DataPoint<Histogram> {
  const count = cells[at]!
  const counts: number[] = []
  let above = count
  for (let i = 0; i < boundaries.length; i++) {
    const inBucket = cells[at + 2 + i]!
    counts.push(inBucket)
    above -= inBucket
  }
  counts.push(above)
  return { startTime, endTime, attributes, value: { buckets: { boundaries, counts }, sum: cells[at + 1]!, count } } as DataPoint<Histogram>
}

/** A histogram with exponential buckets. */
export function toExponentialPoint (startTime: HrTime, endTime: HrTime, attributes: Attributes, cells: Float64Array, at: number, { scale, zeroCount, positive, negative }: ExponentialBuckets): DataPoint<ExponentialHistogram> {
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
