import t from 'tap'
import { toNativeBuckets } from '../../lib/export/native-histogram.ts'
import type { SparseBuckets } from '../../lib/export/native-histogram.ts'
import type { ExponentialBuckets, ExponentialRange } from '../../lib/series/exponential.ts'
import { Random } from '../support/random.ts'

const NONE: ExponentialRange = { offset: 0, counts: [] }

/** Counts by Prometheus' index, read as its specification of native histograms says. */
function dense ({ spans, deltas }: SparseBuckets): Map<number, number> {
  const counts = new Map<number, number>()
  let [index, at, count] = [0, 0, 0]
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++) {
      count += deltas[at++]!
      if (count > 0) counts.set(index, count)
      index++
    }
  }
  return counts
}

/**
 * Counts by Prometheus' index, from the bounds alone: a bucket of OpenTelemetry lies whole within the one whose upper bound is the
 * least that is not below its own. Bounds are powers of two whose exponents are compared as whole numbers of the finer scale.
 */
function direct ({ offset, counts }: ExponentialRange, scale: number, schema: number): Map<number, number> {
  const found = new Map<number, number>()
  counts.forEach((count, i) => {
    const upper = offset + i + 1
    const index = Math.ceil(upper / 2 ** (scale - schema))
    if (count > 0) found.set(index, (found.get(index) ?? 0) + count)
  })
  return found
}

t.test('whatever the scale and the offset, each count is in the bucket that holds it', async t => {
  const random = new Random(7)
  const range = (): ExponentialRange => ({
    offset: random.below(4_000) - 2_000,
    // Runs of empty buckets of all lengths.
    counts: Array.from({ length: random.below(160) }, () => random.pick([0, 0, 0, random.below(5), random.below(2 ** 31), 2 ** 45 + random.below(9)]))
  })
  const schemas = new Set<number>()
  for (let i = 0; i < 3_000; i++) {
    const buckets: ExponentialBuckets = { scale: random.below(25) - 4, zeroCount: random.below(3), positive: range(), negative: range() }
    const native = toNativeBuckets(buckets)!
    schemas.add(native.schema)
    const expected = { schema: Math.min(8, buckets.scale), zeroCount: buckets.zeroCount, zeroThreshold: 1e-128 }
    const wrong = (['positive', 'negative'] as const).filter(side => JSON.stringify([...dense(native[side])]) !== JSON.stringify([...direct(buckets[side], buckets.scale, native.schema)]))
    if (wrong.length > 0 || !Object.entries(expected).every(([key, value]) => native[key as keyof typeof expected] === value)) t.fail('differs', { buckets, native })
    for (const side of ['positive', 'negative'] as const) {
      const { spans, deltas } = native[side]
      const isSparse = spans.every(({ offset, length }, i) => length > 0 && (i === 0 || offset > 2)) && spans.reduce((sum, { length }) => sum + length, 0) === deltas.length
      if (!isSparse) t.fail('is not sparse', { buckets, native })
    }
  }
  t.same([...schemas].sort((a, b) => a - b), [-4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8])
})

t.test('values fall where Prometheus would have put them', async t => {
  const random = new Random(8)
  for (let scale = -4; scale <= 12; scale++) {
    const values = Array.from({ length: 60 }, () => 2 ** (random.next() * 20 - 10))
    const lower = values.map(value => Math.ceil(Math.log2(value) * 2 ** scale) - 1)
    const offset = Math.min(...lower)
    const counts: number[] = Array.from({ length: Math.max(...lower) - offset + 1 }, () => 0)
    for (const index of lower) counts[index - offset]!++
    const { schema, positive } = toNativeBuckets({ scale, zeroCount: 0, positive: { offset, counts }, negative: NONE })!
    const expected = new Map<number, number>()
    for (const value of values.toSorted((a, b) => a - b)) {
      const index = Math.ceil(Math.log2(value) * 2 ** schema)
      expected.set(index, (expected.get(index) ?? 0) + 1)
    }
    t.same([...dense(positive)], [...expected], `scale ${scale}`)
  }
})

t.test('short gaps stay within a span, longer ones part it, empty ends are no part of it', async t => {
  const { positive, negative } = toNativeBuckets({ scale: 0, zeroCount: 0, positive: { offset: -3, counts: [0, 2, 0, 0, 5, 0, 0, 0, 1, 0] }, negative: NONE })!
  t.same(positive, { spans: [{ offset: -1, length: 4 }, { offset: 3, length: 1 }], deltas: [2, -2, 0, 5, -4] })
  t.same(negative, { spans: [], deltas: [] })
})

t.test('a scale that is too coarse has no native form', async t => {
  t.equal(toNativeBuckets({ scale: -5, zeroCount: 1, positive: NONE, negative: NONE }), undefined)
  t.equal(toNativeBuckets({ scale: -4, zeroCount: 1, positive: NONE, negative: NONE })!.schema, -4)
})
