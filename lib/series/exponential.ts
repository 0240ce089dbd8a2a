/** Counts of neighbouring buckets from one index on. */
export interface ExponentialRange {
  readonly offset: number
  readonly counts: readonly number[]
}

/**
 * The buckets of an exponential histogram (OpenTelemetry metrics data model, "ExponentialHistogram"): bucket i holds values
 * in (base^i, base^(i+1)], where base is 2^(2^-scale).
 */
export interface ExponentialBuckets {
  readonly scale: number
  readonly zeroCount: number
  readonly positive: ExponentialRange
  readonly negative: ExponentialRange
}

/** Most buckets on either side, as in OpenTelemetry's SDKs. */
const MOST_BUCKETS = 160

export const NO_BUCKETS: ExponentialRange = Object.freeze({ offset: 0, counts: Object.freeze([]) })

/** Both histograms in one, at the finest scale at which that is exact and bounded. */
export function mergeExponential (a: ExponentialBuckets, b: ExponentialBuckets): ExponentialBuckets {
  let scale = Math.min(a.scale, b.scale)
  const combine = (): ExponentialBuckets => ({
    scale,
    zeroCount: a.zeroCount + b.zeroCount,
    positive: add(downscale(a.positive, a.scale - scale), downscale(b.positive, b.scale - scale), 1),
    negative: add(downscale(a.negative, a.scale - scale), downscale(b.negative, b.scale - scale), 1)
  })
  for (;;) {
    const { positive, negative } = spanned(a, b, scale)
    if (positive <= MOST_BUCKETS && negative <= MOST_BUCKETS) return combine()
    scale--
  }
}

/** What came since an earlier state of the same histogram. */
export function subtractExponential (now: ExponentialBuckets, before: ExponentialBuckets): ExponentialBuckets {
  const { scale } = now
  return {
    scale,
    zeroCount: now.zeroCount - before.zeroCount,
    positive: add(now.positive, downscale(before.positive, before.scale - scale), -1),
    negative: add(now.negative, downscale(before.negative, before.scale - scale), -1)
  }
}

/** The same counts under upper bounds, ascending, for ways out that know fixed bounds only. Every bound is exact. */
export function toFixedBuckets ({ scale, zeroCount, positive, negative }: ExponentialBuckets): { bounds: number[], counts: number[] } {
  const bounds: number[] = []
  const counts: number[] = []
  const bound = (index: number): number => 2 ** (index * 2 ** -scale)
  for (let i = negative.counts.length - 1; i >= 0; i--) {
    bounds.push(-bound(negative.offset + i))
    counts.push(negative.counts[i]!)
  }
  if (zeroCount > 0 || negative.counts.length > 0) {
    bounds.push(0)
    counts.push(zeroCount)
  }
  for (let i = 0; i < positive.counts.length; i++) {
    const upper = bound(positive.offset + i + 1)
    if (upper === Infinity) break
    bounds.push(upper)
    counts.push(positive.counts[i]!)
  }
  return { bounds, counts }
}

function spanned (a: ExponentialBuckets, b: ExponentialBuckets, scale: number): { positive: number, negative: number } {
  const span = (side: 'positive' | 'negative'): number => {
    const filled = [a, b].filter(histogram => histogram[side].counts.length > 0)
    if (filled.length === 0) return 0
    const first = Math.min(...filled.map(histogram => histogram[side].offset >> (histogram.scale - scale)))
    const last = Math.max(...filled.map(histogram => (histogram[side].offset + histogram[side].counts.length - 1) >> (histogram.scale - scale)))
    return last - first + 1
  }
  return { positive: span('positive'), negative: span('negative') }
}

/** Merges neighbours: one scale down, pairs of buckets become one. */
export function downscale ({ offset, counts }: ExponentialRange, by: number): ExponentialRange {
  if (by === 0 || counts.length === 0) return { offset, counts }
  const first = offset >> by
  const merged = new Array<number>(((offset + counts.length - 1) >> by) - first + 1).fill(0)
  counts.forEach((count, i) => { merged[((offset + i) >> by) - first]! += count })
  return { offset: first, counts: merged }
}

function add (a: ExponentialRange, b: ExponentialRange, sign: 1 | -1): ExponentialRange {
  if (b.counts.length === 0) return a
  if (a.counts.length === 0) return b
  const offset = Math.min(a.offset, b.offset)
  const end = Math.max(a.offset + a.counts.length, b.offset + b.counts.length)
  const counts = new Array<number>(end - offset).fill(0)
  a.counts.forEach((count, i) => { counts[a.offset + i - offset]! += count })
  b.counts.forEach((count, i) => { counts[b.offset + i - offset]! += sign * count })
  return { offset, counts }
}
