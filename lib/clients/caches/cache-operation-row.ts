import { performance } from 'node:perf_hooks'
import type { Batch } from '../../series/batch.ts'
import type { CounterSeries } from '../../series/counter.ts'
import type { HistogramSeries } from '../../series/histogram.ts'
import type { CacheMetrics } from './cache.ts'

type Status = 'hit' | 'miss' | 'success' | 'error'

/** What was found by an operation of which that does not show, or that read nothing. */
const UNTOLD = -1

/** The series of one operation of one cache. Starts are times of `performance.now()`, in ms. */
export class CacheOperationRow {
  readonly #metrics: CacheMetrics
  readonly #cacheType: string
  readonly #operation: string
  readonly #duration: HistogramSeries
  /** Seconds, keys found, keys missed. */
  readonly #noted: Batch
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
    this.#noted = metrics.registry.batch(3, (cells, at) => { this.#record(cells[at]!, cells[at + 1]!, cells[at + 2]!) })
  }

  /** Records one that read keys: a hit where all of them were found, a miss otherwise. The hot path, measured in bench. */
  read (startedMs: number, found: number, missed: number): void {
    const isNew = (missed === 0 ? this.#hit : this.#miss) === undefined || (found > 0 && this.#hits === undefined)
    this.#note(startedMs, found, missed, isNew)
  }

  /** Records one that read nothing, or of which it does not show whether it found something. */
  succeeded (startedMs: number): void {
    this.#note(startedMs, UNTOLD, UNTOLD, this.#success === undefined)
  }

  failed (startedMs: number): void {
    this.#operations('error').inc()
    this.#duration.observe(secondsSince(startedMs))
  }

  /** `isNew`: series begin with it, so it is recorded at once. */
  #note (startedMs: number, found: number, missed: number, isNew: boolean): void {
    const seconds = secondsSince(startedMs)
    const at = isNew ? -1 : this.#noted.next()
    if (at < 0) return this.#record(seconds, found, missed)
    const { cells } = this.#noted
    cells[at] = seconds
    cells[at + 1] = found
    cells[at + 2] = missed
  }

  #record (seconds: number, found: number, missed: number): void {
    this.#duration.observe(seconds)
    if (found === UNTOLD) return (this.#success ??= this.#operations('success')).inc()
    if (missed === 0) (this.#hit ??= this.#operations('hit')).inc()
    else (this.#miss ??= this.#operations('miss')).inc()
    if (found > 0) (this.#hits ??= this.#metrics.hits.bind([this.#cacheType])).inc(found)
    if (missed > 0) (this.#misses ??= this.#metrics.misses.bind([this.#cacheType])).inc(missed)
  }

  #operations (status: Status): CounterSeries {
    return this.#metrics.operations.bind([this.#cacheType, this.#operation, status])
  }
}

function secondsSince (startedMs: number): number {
  return (performance.now() - startedMs) / 1_000
}
