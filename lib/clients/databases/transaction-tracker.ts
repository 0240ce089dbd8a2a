import type { DbClient } from './db-client.ts'
import type { Statement, TransactionControl } from '../sql/statement.ts'

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

  /** `isRolledBack`: the server answered a COMMIT, the first of the text, with a rollback. */
  succeeded (statement: Statement, isRolledBack: boolean = false): void {
    controlsOf(statement).forEach((control, i) => this.#control(i === 0 && control === 'commit' && isRolledBack ? 'rollback' : control))
  }

  /** A COMMIT that fails leaves nothing committed. */
  failed ({ transaction, earlier, isChained }: Statement): void {
    if ((isChained === true ? earlier?.at(-1) : transaction) === 'commit') this.lost()
  }

  /** The connection is gone, and the server rolls back. */
  lost (): void {
    if (this.#isOpen) this.#end('rolled_back')
  }

  /** Without a transaction, what ends one does nothing. */
  #control (control: TransactionControl): void {
    if (control === 'begin') this.#isOpen = true
    else if (this.#isOpen) this.#end(control === 'commit' ? 'committed' : 'rolled_back')
  }

  #end (status: 'committed' | 'rolled_back'): void {
    this.#isOpen = false
    this.#db.transaction(status)
  }
}

function controlsOf ({ earlier = [], transaction }: Statement): readonly TransactionControl[] {
  return transaction === undefined ? [] : [...earlier, transaction]
}
