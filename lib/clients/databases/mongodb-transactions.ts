import type { DbClient } from './db-client.ts'

type Document = Readonly<Record<string, unknown>>

/** A transaction that somebody tried to end. */
interface Ended {
  readonly transaction: string
  readonly isCounted: boolean
}

/** What the server says of its own time limit (MaxTimeMSExpired). */
const TIMED_OUT = 50

const MOST_SESSIONS = 1_000

/**
 * The transactions of a client, told from the commands that end them. These are repeated, by the driver and by the application: a transaction
 * is counted once, and one of which nobody heard whether it was committed when its session goes on to another, or ends.
 */
export class MongoTransactions {
  readonly #db: DbClient
  /** The last one of each session. */
  readonly #ended = new Map<string, Ended>()

  constructor (db: DbClient) {
    this.#db = db
  }

  /** Looks at a command that is about to be sent. */
  starts (name: string, command: Document): void {
    if (name === 'endSessions') {
      for (const id of toArray(command[name])) this.#forget(toKey(id))
    } else if (command['startTransaction'] === true) this.#forget(sessionOf(command))
  }

  /** A command that was to end a transaction is over. `isTaken`: the server has carried it out, if not as was asked. */
  ended (name: string, command: Document, isTaken: boolean, failure: { readonly error: unknown } | undefined): void {
    // An abort that fails is one all the same: the server gives the transaction up.
    if (name === 'abortTransaction') this.#end(command, 'rolled_back')
    else if (failure === undefined) this.#end(command, 'committed')
    else this.#end(command, isTaken || !isRefusal(failure.error) ? undefined : 'rolled_back')
  }

  #end (command: Document, status: 'committed' | 'rolled_back' | undefined): void {
    const session = sessionOf(command)
    const transaction = String(command['txnNumber'])
    const last = this.#ended.get(session)
    if (last?.transaction === transaction && last.isCounted) return
    this.#ended.delete(session)
    this.#ended.set(session, { transaction, isCounted: status !== undefined })
    if (status !== undefined) this.#db.transaction(status)
    if (this.#ended.size > MOST_SESSIONS) this.#forget(this.#ended.keys().next().value!)
  }

  #forget (session: string): void {
    if (this.#ended.get(session)?.isCounted === false) this.#db.transaction('rolled_back')
    this.#ended.delete(session)
  }
}

/** Whether the server said that it did not commit, so that nobody need ask again. */
function isRefusal (error: unknown): boolean {
  const { code, errorLabels } = Object(error) as Document
  return typeof code === 'number' && code !== TIMED_OUT && !toArray(errorLabels).includes('RetryableWriteError')
}

function sessionOf ({ lsid }: Document): string {
  return toKey(lsid)
}

function toKey (lsid: unknown): string {
  const { id } = Object(lsid) as { id?: { toString (encoding: string): string } }
  return id?.toString('hex') ?? ''
}

function toArray (value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
