import type { Bank } from './bank.ts'
import type { ExponentialBuckets } from './exponential.ts'
import type { MetricType } from './names.ts'
import type { Attributes, OtlpIdentity, Scope } from './otlp-identity.ts'

/** The types of metric that a snapshot may hold: those of the store, and those that join from elsewhere. */
export type SnapshotType = MetricType | 'summary'

/** One label set within a snapshot. */
export interface SeriesIdentity {
  readonly names: readonly string[]
  readonly values: readonly string[]
  /** The label set as the exposition writes it. */
  readonly text: string
  /** The label set as OpenTelemetry gave it, where it came from there. */
  readonly attributes?: Attributes | undefined
}

/**
 * Series of one shape at one instant. Row i of `cells` belongs to `series[i]` and is `stride` cells long:
 * [value or count, (sum, one count for each bound: not cumulative,) creation time in ms since the epoch].
 * A summary has quantiles for bounds and their values for counts.
 */
export interface BankSnapshot {
  readonly bounds: readonly number[]
  readonly stride: number
  readonly cells: Float64Array
  readonly series: readonly SeriesIdentity[]
  /** The exponential histogram that the one series of the bank is shown from. */
  readonly exponential?: ExponentialBuckets | undefined
  /** By row: a sample of what was recorded, for each bucket or for the value. */
  readonly exemplars?: ReadonlyMap<number, RowExemplars> | undefined
}

/** A recorded value, and the trace it belongs to. */
export interface Exemplar {
  readonly value: number
  /** ms since the epoch. */
  readonly timestampMs: number
  /** `trace_id` and `span_id` where the value was recorded within a trace. */
  readonly labels: Readonly<Record<string, string>>
}

/** One place for each bucket, +Inf included, or one for the value of a counter: what was recorded last, then the largest where that is another. */
export type RowExemplars = readonly (readonly Exemplar[] | undefined)[]

/** A metric at one instant. */
export interface FamilySnapshot {
  readonly name: string
  readonly help: string
  readonly type: SnapshotType
  readonly unit: string | undefined
  readonly banks: readonly BankSnapshot[]
  /** How OpenTelemetry names it; `false` where it is not pushed on its own. @default under its own name */
  readonly otlp?: OtlpIdentity | false | undefined
  /** Who recorded it. @default this package */
  readonly scope?: Scope | undefined
  /** Whether scrapes show it by OpenTelemetry's rules: since when it counts, and sums only where they never fall. @default false */
  readonly isSemconv?: boolean | undefined
  /** Whether its exponential histograms have no sums, as where they are made of ups and downs. @default false */
  readonly isSumless?: boolean | undefined
  /** Whether scrapes leave it out. @default false */
  readonly isHidden?: boolean | undefined
}

/** What else is shown beside the store: joined at each {@link Snapshot} that is collected. */
export interface SnapshotSource {
  /** For people: the registry or the meters that the metrics come from. */
  readonly description: string
  /** Every name that a metric from here takes, and no other may have, as far as is known. */
  takenNames (): Iterable<string>
  /** Never rejects: what fails is reported by the source. */
  collect (): Promise<readonly FamilySnapshot[]>
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
  return { bounds, stride, cells: bank.cells.slice(0, bank.series.length * stride), series: bank.series.slice(), exemplars: bank.family.exemplars?.of(bank) }
}
