import type { Bank } from './bank.ts'
import type { MetricType } from './names.ts'

/** One label set within a snapshot. */
export interface SeriesIdentity {
  readonly names: readonly string[]
  readonly values: readonly string[]
  /** The label set as the exposition writes it. */
  readonly text: string
}

/**
 * Series of one shape at one instant. Row i of `cells` belongs to `series[i]` and is `stride` cells long:
 * [value or count, (sum, one count for each bound: not cumulative,) creation time in ms since the epoch].
 */
export interface BankSnapshot {
  readonly bounds: readonly number[]
  readonly stride: number
  readonly cells: Float64Array
  readonly series: readonly SeriesIdentity[]
}

/** A metric at one instant. */
export interface FamilySnapshot {
  readonly name: string
  readonly help: string
  readonly type: MetricType
  readonly unit: string | undefined
  readonly banks: readonly BankSnapshot[]
}

/** All that every way out shows, copied at one instant: nothing in it changes afterwards. */
export interface Snapshot {
  /** ms since the epoch. */
  readonly takenMs: number
  readonly constantLabels: Readonly<Record<string, string>>
  readonly families: readonly FamilySnapshot[]
}

/** The value of a histogram for people and tests; bucket counts are cumulative, keyed by upper bound. */
export interface HistogramValue {
  readonly count: number
  readonly sum: number
  readonly buckets: Readonly<Record<string, number>>
}

/** A copy of a bank's numbers and of who owns which row. */
export function toBankSnapshot (bank: Bank): BankSnapshot {
  const { bounds, stride } = bank
  return { bounds, stride, cells: bank.cells.slice(0, bank.series.length * stride), series: bank.series.slice() }
}
