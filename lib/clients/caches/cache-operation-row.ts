import type { CounterSeries } from '../../series/counter.ts'
import type { HistogramSeries } from '../../series/histogram.ts'
import type { CacheMetrics } from './cache.ts'

type Status = 'hit' | 'miss' | 'success' | 'error'

/** The series of one operation of one cache. Starts are times of `performance.now()`, in ms. */
export class CacheOperationRow {
  readonly #metrics: CacheMetrics
  readonly #cacheType: string
  readonly #operation: string
  readonly #duration: HistogramSeries
  readonly #statuses: { [S in Status]?: CounterSeries } = {}
  #hits: CounterSeries | undefined
  #misses: CounterSeries | undefined

  constructor (metrics: CacheMetrics, cacheType: string, operation: string) {
    this.#metrics = metrics
    this.#cacheType = cacheType
    this.#operation = operation
    this.#duration = metrics.operationDuration.bind([cacheType, operation])
  }

  /** Records one that read keys: a hit where all of them were found, a miss otherwise. The hot path, measured in bench. */
  read (startedMs: number, found: number, missed: number): void {
    this.#record(missed === 0 ? 'hit' : 'miss', startedMs)
    if (found > 0) (this.#hits ??= this.#metrics.hits.bind([this.#cacheType])).inc(found)
    if (missed > 0) (this.#misses ??= this.#metrics.misses.bind([this.#cacheType])).inc(missed)
  }

  /** Records one that read nothing, or of which it does not show whether it found something. */
  succeeded (startedMs: number): void {
    this.#record('success', startedMs)
  }

  failed (startedMs: number): void {
    this.#record('error', startedMs)
  }

  #record (status: Status, startedMs: number): void {
    (this.#statuses[status] ??= this.#metrics.operations.bind([this.#cacheType, this.#operation, status])).inc()
    this.#duration.observe((performance.now() - startedMs) / 1_000)
  }
}
