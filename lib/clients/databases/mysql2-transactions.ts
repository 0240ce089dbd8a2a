import { OTHER } from './db.ts'
import type { DbClient } from './db-client.ts'
import { TransactionTracker } from './transaction-tracker.ts'
import type { Statement } from '../sql/statement.ts'

/** Server status flags (MySQL Internals, "SERVER_STATUS_flags_enum"). */
const IN_TRANSACTION = 1
const AUTOCOMMIT = 2

/** ER_LOCK_DEADLOCK, and ER_CHECKREAD of MariaDB (`innodb_snapshot_isolation`): InnoDB has rolled the whole transaction back. */
const ROLLBACKS: ReadonlySet<unknown> = new Set([1213, 1020])

/** They may end a transaction in either way, by what they hold, or leave it to another connection; BEGIN as that of a block (`BEGIN NOT ATOMIC`). */
const UNTOLD: ReadonlySet<string> = new Set(['CALL', 'XA', 'EXECUTE', 'BEGIN'])

/** The transactions of one connection to MySQL, told from its statements, and from what the server says with an answer that has no rows. */
export class Mysql2Transactions {
  readonly #tracker: TransactionTracker
  #isAutocommit = true
  /** Whether the server tells of transactions at all: some that speak like MySQL do not. */
  #isTelling = true
  /** Whether the open transaction is taken to be one because something was read without autocommit. */
  #isAssumed = false

  constructor (db: DbClient) {
    this.#tracker = new TransactionTracker(db, { isEndedByBegin: true })
  }

  /** `answer`: what it came to: rows, the header of an answer without, or a list of both for a text of several statements. */
  succeeded (statement: Statement, answer: unknown): void {
    this.#tracker.succeeded(statement)
    const status = statusOf(answer)
    if (status === undefined) this.#read(statement)
    else this.#saw(statement, status)
  }

  failed (statement: Statement, error: unknown): void {
    if (ROLLBACKS.has((error as { errno?: unknown }).errno)) this.#tracker.lost()
    else this.#tracker.failed(statement)
  }

  /** The server has rolled back. */
  lost (): void {
    this.#tracker.lost()
    this.#isAutocommit = true
  }

  #saw ({ operation, transaction }: Statement, status: number): void {
    const isOpen = (status & IN_TRANSACTION) !== 0
    if (transaction === 'begin' && !isOpen && (operation === 'BEGIN' || operation === 'START')) this.#isTelling = false
    if (!this.#isTelling) return
    if (isOpen) this.#isAssumed = false
    // A definition, SET autocommit = 1, LOCK TABLES and the like commit (MySQL Reference Manual, "Statements That Cause an Implicit Commit").
    if (this.#tracker.isOpen && !isOpen && !this.#isAssumed && !UNTOLD.has(operation)) this.#tracker.committed()
    this.#tracker.saw(isOpen)
    this.#isAutocommit = (status & AUTOCOMMIT) !== 0
  }

  /** With rows comes no status that could be read. */
  #read ({ table, transaction }: Statement): void {
    if (this.#isAutocommit || this.#tracker.isOpen || table === OTHER || transaction !== undefined) return
    this.#isAssumed = true
    this.#tracker.saw(true)
  }
}

function statusOf (answer: unknown): number | undefined {
  const last = Object(Array.isArray(answer) ? answer.at(-1) : answer) as { readonly serverStatus?: unknown, readonly constructor?: { readonly name?: unknown } | null }
  const { serverStatus } = last
  // A row may have columns of these names.
  return typeof serverStatus === 'number' && last.constructor?.name === 'ResultSetHeader' ? serverStatus : undefined
}
