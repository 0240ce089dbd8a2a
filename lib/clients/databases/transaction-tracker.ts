import type { DbClient } from './db-client.ts'
import type { Statement } from '../sql/statement.ts'

/** Statements that only end a transaction: without one they do nothing. */
const ENDINGS: ReadonlySet<string> = new Set(['COMMIT', 'END', 'ROLLBACK', 'ABORT'])

/** The transactions of one connection, told from its statements. */
export class TransactionTracker {
  readonly #db: DbClient
  #isOpen = false

  constructor (db: DbClient) {
    this.#db = db
  }

  get isOpen (): boolean {
    return this.#isOpen
  }

  /** What the connection itself says, where it can. */
  saw (isOpen: boolean): void {
    this.#isOpen = isOpen
  }

  /** `isRolledBack`: the server answered a COMMIT with a rollback. */
  succeeded ({ operation, transaction }: Statement, isRolledBack: boolean = false): void {
    if (transaction === undefined) return
    if (transaction === 'begin') this.#isOpen = true
    else if (this.#isOpen || !ENDINGS.has(operation)) this.#end(transaction === 'commit' && !isRolledBack ? 'committed' : 'rolled_back')
  }

  /** A COMMIT that fails leaves nothing committed. */
  failed ({ transaction }: Statement): void {
    if (transaction === 'commit') this.lost()
  }

  /** The connection is gone, and the server rolls back. */
  lost (): void {
    if (this.#isOpen) this.#end('rolled_back')
  }

  #end (status: 'committed' | 'rolled_back'): void {
    this.#isOpen = false
    this.#db.transaction(status)
  }
}
