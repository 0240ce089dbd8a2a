import { Unsettled } from './batch.ts'
import type { SeriesLimits } from './cardinality.ts'
import { Cardinality } from './cardinality.ts'
import type { CounterSeries } from './counter.ts'
import { Counter } from './counter.ts'
import type { Family, FaultKind, Keeper } from './family.ts'
import { Gauge } from './gauge.ts'
import type { Traces } from './traces.ts'

function ignore (): void {}

/** For the store's metrics about itself: as many series as there are metrics. */
const UNLIMITED: Keeper = { isRecording: true, traces: undefined, unsettled: new Unsettled(), admit: () => true, release: ignore, overflowed: ignore, fault: ignore, now: Date.now }

/** For a store that takes records and holds nothing. */
export const IDLE_KEEPER: Keeper = Object.freeze({ ...UNLIMITED, isRecording: false })

/** The same limits for a family that keeps no exemplars. */
export function withoutTraces (keeper: Keeper): Keeper {
  const { isRecording, now, unsettled } = keeper
  return {
    isRecording,
    now,
    unsettled,
    traces: undefined,
    admit: family => keeper.admit(family),
    release: family => keeper.release(family),
    overflowed: family => keeper.overflowed(family),
    fault: (family, kind, problem) => keeper.fault(family, kind, problem)
  }
}

const labels = ['metric'] as const

/** Keeps the limits of a store, and its metrics about itself: series held, records that overflowed, records that were wrong. */
export class SelfMetrics implements Keeper {
  readonly isRecording = true
  readonly now = Date.now
  readonly unsettled = new Unsettled()
  readonly traces: Traces | undefined
  readonly #limits: SeriesLimits
  readonly #cardinality: Cardinality
  readonly #warnOnce: (key: string, message: string) => void
  readonly #held = new Gauge({
    name: 'vitals_series',
    help: 'Series held for each metric.',
    labels,
    otlp: { name: 'vitals.series', unit: '{series}', isUpDown: true, isInteger: true }
  }, UNLIMITED)

  readonly #overflows = new Counter({
    name: 'vitals_series_overflow_total',
    help: 'Records that went to the overflow series because a series limit was reached.',
    labels,
    otlp: { name: 'vitals.series.overflow.total', unit: '{record}', isInteger: true }
  }, UNLIMITED)

  readonly #faults = new Counter({
    name: 'vitals_record_errors_total',
    help: 'Records that were refused or mended because of a wrong value or label.',
    labels,
    otlp: { name: 'vitals.record.errors.total', unit: '{record}', isInteger: true }
  }, UNLIMITED)

  readonly #overflowing = new Map<Family, CounterSeries>()

  constructor (limits: SeriesLimits, traces: Traces | undefined, warnOnce: (key: string, message: string) => void) {
    this.#limits = limits
    this.#cardinality = new Cardinality(limits)
    this.traces = traces
    this.#warnOnce = warnOnce
  }

  /** The metrics themselves, for the store to show. */
  get families (): readonly Family[] {
    return [this.#held, this.#overflows, this.#faults]
  }

  /** Counts the series of every metric of the store, once all that is read for a snapshot has been. */
  count (families: Iterable<Family>): void {
    for (const { name, size } of families) this.#held.with({ metric: name }).set(size)
    this.#held.with({ metric: this.#held.name }).set(this.#held.size)
  }

  admit (family: Family): boolean {
    return this.#cardinality.admit(family.size)
  }

  release (): void {
    this.#cardinality.release()
  }

  overflowed (family: Family): void {
    let records = this.#overflowing.get(family)
    if (records === undefined) this.#overflowing.set(family, records = this.#overflows.with({ metric: family.name }))
    records.inc()
    this.#warnOnce(`overflow ${family.name}`, `Metric ${family.name} reached a series limit (${this.#limits.seriesPerMetric} for each metric, ${this.#limits.series} in all): further label sets are recorded in its series {overflow="true"}. Use labels with fewer values, or raise limits`)
  }

  fault (family: Family, kind: FaultKind, problem: string): void {
    this.#faults.inc({ metric: family.name })
    this.#warnOnce(`fault ${family.name} ${kind}`, `Wrong record for metric ${family.name}: ${problem}. Further ones are counted in vitals_record_errors_total`)
  }
}
