import { performance } from 'node:perf_hooks'
import type { Batch } from '../../series/batch.ts'
import type { CounterSeries } from '../../series/counter.ts'
import type { HistogramSeries } from '../../series/histogram.ts'
import type { DbMetrics, PoolReading } from './db.ts'
import { OTHER } from './db.ts'
import { OperationRow } from './operation-row.ts'
import { StatementCache } from '../sql/statement-cache.ts'
import type { SqlDialect, Statement } from '../sql/statement.ts'
import { parseStatement } from '../sql/statement.ts'

/** A statement and its series. */
export interface StatementRow {
  readonly statement: Statement
  readonly row: OperationRow
}

/** The series of one instrumented database client: adapters supply numbers only. */
export class DbClient {
  readonly #metrics: DbMetrics
  readonly #system: string
  readonly #name: string
  readonly #dialect: SqlDialect
  readonly #statements = new StatementCache<StatementRow>()
  readonly #operations = new StatementCache<OperationRow>()
  /** While a pool hands a connection to a statement of its own, which begins with that: when it came; else 0. Saves a look at the clock. */
  handedOverMs = 0
  #wait: HistogramSeries | undefined
  readonly #waits: Batch
  #timeouts: CounterSeries | undefined

  constructor (metrics: DbMetrics, system: string, name: string) {
    this.#metrics = metrics
    this.#system = system
    this.#name = name
    this.#waits = metrics.registry.batch(1, (cells, at) => { this.#waited(cells[at]!) })
    this.#dialect = system === 'postgresql' || system === 'mysql' || system === 'sqlite' ? system : 'ansi'
  }

  /** The series of a statement; anything but text is one that cannot be told. */
  statement (sql: unknown): StatementRow {
    const text = typeof sql === 'string' ? sql : ''
    let known = this.#statements.get(text)
    if (known === undefined) {
      const statement = parseStatement(text, this.#dialect)
      known = { statement, row: this.operation(statement.operation, statement.table) }
      this.#statements.set(text, known)
    }
    return known
  }

  /** The series of an operation that is no SQL. */
  operation (operation: string, table: string = OTHER): OperationRow {
    const key = `${operation}\n${table}`
    let row = this.#operations.get(key)
    if (row === undefined) this.#operations.set(key, row = new OperationRow(this.#metrics, [this.#system, this.#name, operation, table]))
    return row
  }

  /** The time at which a statement begins: the first of a connection that is handed over begins with that. */
  start (): number {
    const { handedOverMs } = this
    if (handedOverMs === 0) return performance.now()
    this.handedOverMs = 0
    return handedOverMs
  }

  /** Counts a transaction that ended. */
  transaction (status: 'committed' | 'rolled_back'): void {
    this.#metrics.transactions.bind([this.#system, this.#name, status]).inc()
  }

  /** Records the wait for a connection that came; returns when that was. */
  connected (startedMs: number): number {
    const nowMs = performance.now()
    const seconds = (nowMs - startedMs) / 1_000
    const at = this.#waits.next()
    if (at < 0) this.#waited(seconds)
    else this.#waits.cells[at] = seconds
    return nowMs
  }

  /** Counts a wait for a connection that was given up. */
  connectionTimedOut (): void {
    this.#timeouts ??= this.#metrics.connectionTimeouts.bind([this.#system, this.#name])
    this.#timeouts.inc()
  }

  /** Shows the connections of a pool, read at each snapshot, for as long as the pool lives or until the returned function is called. */
  watchPool<P extends object> (pool: P, read: (pool: P) => PoolReading): () => void {
    this.#timeouts ??= this.#metrics.connectionTimeouts.bind([this.#system, this.#name])
    return this.#metrics.pools.watch([this.#system, this.#name], pool, read)
  }

  #waited (seconds: number): void {
    this.#wait ??= this.#metrics.connectionWait.bind([this.#system, this.#name])
    this.#wait.observe(seconds)
  }
}
