import type { ExponentialBuckets, ExponentialRange } from '../series/exponential.ts'
import { downscale } from '../series/exponential.ts'

/** The finest and the coarsest schema that Prometheus has. */
const FINEST = 8
const COARSEST = -4

/** Up to which magnitude Prometheus takes a value for zero, where OpenTelemetry does not say (compatibility specification, "Exponential Histograms"). */
const ZERO_THRESHOLD = 1e-128

/** Most empty buckets that cost less as such than a span does that leaves them out. */
const LONGEST_GAP = 2

/** Consecutive buckets, from so many after the end of the span before, or from this index on. */
export interface BucketSpan {
  readonly offset: number
  readonly length: number
}

/** Buckets without those that are empty: where they are, and by how much each differs from the one before. */
export interface SparseBuckets {
  readonly spans: readonly BucketSpan[]
  readonly deltas: readonly number[]
}

/** The buckets of a native histogram (client_model, metrics.proto, "Histogram"). */
export interface NativeBuckets {
  readonly schema: number
  readonly zeroThreshold: number
  readonly zeroCount: number
  readonly positive: SparseBuckets
  readonly negative: SparseBuckets
}

/** Exponential buckets as native ones, merged exactly where they are finer than those can be; `undefined` where they are coarser. */
export function toNativeBuckets ({ scale, zeroCount, positive, negative }: ExponentialBuckets): NativeBuckets | undefined {
  if (scale < COARSEST) return undefined
  const schema = Math.min(scale, FINEST)
  return {
    schema,
    zeroThreshold: ZERO_THRESHOLD,
    zeroCount,
    positive: toSparse(downscale(positive, scale - schema)),
    negative: toSparse(downscale(negative, scale - schema))
  }
}

function toSparse ({ offset, counts }: ExponentialRange): SparseBuckets {
  const spans: { offset: number, length: number }[] = []
  const deltas: number[] = []
  let before = 0
  let end = 0
  const add = (count: number): void => {
    deltas.push(count - before)
    before = count
  }
  counts.forEach((count, i) => {
    if (count === 0) return
    // Prometheus numbers a bucket by its upper bound, OpenTelemetry by its lower.
    const index = offset + i + 1
    const span = spans.at(-1)
    if (span === undefined || index - end > LONGEST_GAP) {
      spans.push({ offset: index - end, length: 1 })
    } else {
      for (let gap = end; gap < index; gap++) add(0)
      span.length += index - end + 1
    }
    add(count)
    end = index + 1
  })
  return { spans, deltas }
}
