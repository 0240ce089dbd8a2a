import { performance } from 'node:perf_hooks'
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
  // A field each: a list by status would be searched by name.
  #hit: CounterSeries | undefined
  #miss: CounterSeries | undefined
  #success: CounterSeries | undefined
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
    if (missed === 0) (this.#hit ??= this.#operations('hit')).inc()
    else (this.#miss ??= this.#operations('miss')).inc()
    this.#took(startedMs)
    if (found > 0) (this.#hits ??= this.#metrics.hits.bind([this.#cacheType])).inc(found)
    if (missed > 0) (this.#misses ??= this.#metrics.misses.bind([this.#cacheType])).inc(missed)
  }

  /** Records one that read nothing, or of which it does not show whether it found something. */
  succeeded (startedMs: number): void {
    (this.#success ??= this.#operations('success')).inc()
    this.#took(startedMs)
  }

  failed (startedMs: number): void {
    this.#operations('error').inc()
    this.#took(startedMs)
  }

  #operations (status: Status): CounterSeries {
    return this.#metrics.operations.bind([this.#cacheType, this.#operation, status])
  }

  #took (startedMs: number): void {
    this.#duration.observe((performance.now() - startedMs) / 1_000)
  }
}
