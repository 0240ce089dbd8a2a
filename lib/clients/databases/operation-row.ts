import { performance } from 'node:perf_hooks'
import type { Batch } from '../../series/batch.ts'
import type { CounterSeries } from '../../series/counter.ts'
import type { HistogramSeries } from '../../series/histogram.ts'
import type { DbMetrics } from './db.ts'
import { errorTypeOf } from '../error-type.ts'

type Values = readonly [system: string, client: string, operation: string, table: string]

/** The series of one operation on one table. Starts are times of `performance.now()`, in ms. */
export class OperationRow {
  readonly #metrics: DbMetrics
  readonly #values: Values
  readonly #successes: CounterSeries
  readonly #duration: HistogramSeries
  readonly #noted: Batch

  constructor (metrics: DbMetrics, values: Values) {
    this.#metrics = metrics
    this.#values = values
    this.#successes = metrics.queries.bind([...values, 'success'])
    this.#duration = metrics.queryDuration.bind(values)
    this.#noted = metrics.registry.batch(1, (cells, at) => { this.#succeeded(cells[at]!) })
  }

  /** Records one that succeeded: the hot path, measured in bench. */
  succeeded (startedMs: number): void {
    const seconds = (performance.now() - startedMs) / 1_000
    const at = this.#noted.next()
    if (at < 0) this.#succeeded(seconds)
    else this.#noted.cells[at] = seconds
  }

  /** Records one that failed. `errorType` is for errors that carry no code. */
  failed (startedMs: number, error: unknown, errorType: string = errorTypeOf(error)): void {
    const metrics = this.#metrics
    const seconds = (performance.now() - startedMs) / 1_000
    const [system, client, operation] = this.#values
    metrics.queries.bind([...this.#values, 'error']).inc()
    this.#duration.observe(seconds)
    metrics.queryErrors.bind([system, client, operation, errorType]).inc()
    metrics.failureDuration?.bind([...this.#values, errorType]).observe(seconds)
  }

  #succeeded (seconds: number): void {
    this.#successes.inc()
    this.#duration.observe(seconds)
  }
}
