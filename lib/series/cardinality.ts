/** How many series the store holds at the most; past it, records go to one overflow series of their metric. */
export interface SeriesLimits {
  /** @default 2_000 */
  readonly seriesPerMetric: number
  /** Over all metrics. @default 10_000 */
  readonly series: number
}

export const DEFAULT_LIMITS: SeriesLimits = Object.freeze({ seriesPerMetric: 2_000, series: 10_000 })

/** Counts series against the limits. A limit holds for the life of the store, not for an interval. */
export class Cardinality {
  readonly limits: SeriesLimits
  #used = 0

  constructor (limits: SeriesLimits) {
    this.limits = limits
  }

  /** Whether a metric that holds so many series may have one more; takes the place if so. */
  admit (held: number): boolean {
    if (held >= this.limits.seriesPerMetric || this.#used >= this.limits.series) return false
    this.#used++
    return true
  }

  release (): void {
    this.#used--
  }
}
