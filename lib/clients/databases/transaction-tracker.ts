import type { DbClient } from './db-client.ts'
import type { SavepointControl, Statement, TransactionControl } from '../sql/statement.ts'

/** The transactions of one connection, told from its statements. */
export class TransactionTracker {
  readonly #db: DbClient
  readonly #isEndedByBegin: boolean
  #isOpen = false
  /** The savepoints of a transaction that the first of them began. */
  #savepoints: string[] | undefined

  /** `isEndedByBegin`: whether a transaction that begins commits the one that is open. */
  constructor (db: DbClient, { isEndedByBegin = false }: { readonly isEndedByBegin?: boolean } = {}) {
    this.#db = db
    this.#isEndedByBegin = isEndedByBegin
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

  /** What is no statement for it has committed. */
  committed (): void {
    if (this.#isOpen) this.#end('committed')
  }

  /** Without a transaction, what ends one does nothing. */
  #control (control: TransactionControl): void {
    if (control === 'begin') this.#begin()
    else if (control === 'commit') this.committed()
    else if (control === 'rollback') this.lost()
    else this.#save(control)
  }

  #begin (): void {
    if (this.#isEndedByBegin) this.committed()
    this.#isOpen = true
  }

  /** Within a transaction that was begun otherwise, a savepoint is none of its own. */
  #save ({ does, savepoint }: SavepointControl): void {
    if (does === 'set' && !this.#isOpen) {
      this.#isOpen = true
      this.#savepoints = [savepoint]
    } else if (this.#savepoints !== undefined) {
      const at = this.#savepoints.lastIndexOf(savepoint)
      if (does === 'set') this.#savepoints.push(savepoint)
      else if (at !== -1) this.#savepoints.length = does === 'return' ? at + 1 : at
      if (this.#savepoints.length === 0) this.committed()
    }
  }

  #end (status: 'committed' | 'rolled_back'): void {
    this.#isOpen = false
    this.#savepoints = undefined
    this.#db.transaction(status)
  }
}

function controlsOf ({ earlier = [], transaction }: Statement): readonly TransactionControl[] {
  return transaction === undefined ? [] : [...earlier, transaction]
}
