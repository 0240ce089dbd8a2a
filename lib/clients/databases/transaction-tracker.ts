import type { DbClient } from './db-client.ts'
import type { Statement, TransactionControl } from '../sql/statement.ts'

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

  /** `isRolledBack`: the server answered a COMMIT, the last of the text, with a rollback. */
  succeeded (statement: Statement, isRolledBack: boolean = false): void {
    const { transaction } = statement
    if (transaction === undefined) return
    const { operation, earlier } = statement
    if (earlier !== undefined) for (const control of earlier) this.#control(control, false)
    this.#control(transaction === 'commit' && isRolledBack ? 'rollback' : transaction, earlier === undefined && !ENDINGS.has(operation))
  }

  /** A COMMIT that fails leaves nothing committed. */
  failed ({ transaction }: Statement): void {
    if (transaction === 'commit') this.lost()
  }

  /** The connection is gone, and the server rolls back. */
  lost (): void {
    if (this.#isOpen) this.#end('rolled_back')
  }

  /** `isWhole`: the transaction began in the same text. */
  #control (control: TransactionControl, isWhole: boolean): void {
    if (control === 'begin') this.#isOpen = true
    else if (this.#isOpen || isWhole) this.#end(control === 'commit' ? 'committed' : 'rolled_back')
  }

  #end (status: 'committed' | 'rolled_back'): void {
    this.#isOpen = false
    this.#db.transaction(status)
  }
}
