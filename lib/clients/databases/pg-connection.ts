import type { DbClient, StatementRow } from './db-client.ts'
import { TransactionTracker } from './transaction-tracker.ts'
import { replaceMethod, wrapMethod } from '../wrap-method.ts'

/** What is used of a client of pg. */
interface PgClient extends NodeJS.EventEmitter {
  /** The status of the last ReadyForQuery: `I` idle, `T` in a transaction, `E` in a failed one. pg 8.19 and later. */
  getTransactionStatus? (): string | null
  /** Whether no statement is under way, so that its status is of now. */
  readonly readyForQuery?: boolean
}

type Callback = (this: unknown, ...given: unknown[]) => unknown

interface Config {
  readonly text?: unknown
  /** A stream's. */
  readonly cursor?: { readonly text?: unknown }
  callback?: unknown
}

/** What pg hands to the connection itself: a Query, a cursor, a stream. The Query of pg-native has other methods. */
interface Submittable extends Config {
  readonly submit: unknown
  readonly handleError: unknown
  readonly handleReadyForQuery: unknown
  readonly _canceledDueToError?: unknown
}

/** What pg says where an error has no code of its own. */
const ERROR_TYPES: ReadonlyMap<unknown, string> = new Map([
  ['Query read timeout', 'query_timeout'],
  ['Connection terminated', 'connection_terminated'],
  ['Connection terminated unexpectedly', 'connection_terminated'],
  ['Client has encountered a connection error and is not queryable', 'connection_terminated'],
  ['Client was closed and is not queryable', 'connection_terminated']
])

/** One connection to PostgreSQL: each query of it, in each of the forms that `query()` takes. */
export class PgConnection {
  readonly #client: PgClient
  readonly #db: DbClient
  readonly #transactions: TransactionTracker
  readonly #restore: () => void
  /** Whether a text of several statements failed, and may have come to its COMMIT: the next status tells. */
  #isInDoubt = false
  #isHearingEnd = false
  #isLeft = false

  constructor (client: PgClient, db: DbClient) {
    this.#client = client
    this.#db = db
    this.#transactions = new TransactionTracker(db)
    const connection = this
    this.#restore = replaceMethod(client, 'query', (original, replacement) => function (...args) {
      return replacement.isOn ? connection.#query(this as object, original, args) : Reflect.apply(original, this, args)
    })
  }

  detach (): void {
    this.#isLeft = true
    this.#restore()
    this.#client.off('end', this.#onEnd)
  }

  readonly #onEnd = (): void => this.#transactions.lost()

  /** Hears of the end of the connection while a transaction is open: one listener more, and those that pg changes with each query cost it more. */
  #hearEnd (): void {
    const { isOpen } = this.#transactions
    if (isOpen === this.#isHearingEnd || this.#isLeft) return
    this.#isHearingEnd = isOpen
    if (isOpen) this.#client.on('end', this.#onEnd)
    else this.#client.off('end', this.#onEnd)
  }

  #query (receiver: object, original: (...args: unknown[]) => unknown, args: unknown[]): unknown {
    const config = args[0] as Config | string | null | undefined
    const known = this.#db.statement(textOf(config))
    const client = this.#client
    // The error of a statement comes before its ReadyForQuery.
    const status = client.readyForQuery === true ? client.getTransactionStatus?.() : undefined
    if (typeof status === 'string') {
      if (this.#isInDoubt && status === 'I') this.#transactions.lost()
      else this.#transactions.saw(status !== 'I')
      this.#isInDoubt = false
      this.#hearEnd()
    }
    const startedMs = this.#db.start()
    try {
      if (isSubmittable(config)) {
        if (typeof config.handleReadyForQuery === 'function') this.#observe(config, known, startedMs)
        return Reflect.apply(original, receiver, args)
      }
      const at = typeof args[1] === 'function' ? 1 : 2
      const callback = args[at] ?? (config as Config | null | undefined)?.callback
      if (typeof callback !== 'function') return this.#chain(Reflect.apply(original, receiver, args), known, startedMs)
      return this.#call(receiver, original, args, at, callback as Callback, known, startedMs)
    } catch (error) {
      this.#failed(known, startedMs, error)
      throw error
    }
  }

  /** The hot path, measured in bench. */
  #call (receiver: object, original: (...args: unknown[]) => unknown, args: unknown[], at: number, callback: Callback, known: StatementRow, startedMs: number): unknown {
    const connection = this
    const observed: Callback = function (...given) {
      const [error, result] = given
      if (error) connection.#failed(known, startedMs, error)
      else connection.#succeeded(known, startedMs, result)
      return Reflect.apply(callback, this, given)
    }
    const config = args[0] as Config | string
    args[at] = observed
    const result = Reflect.apply(original, receiver, args)
    // Older versions write the callback into the application's own object.
    if (typeof config === 'object' && config.callback === observed) config.callback = callback
    return result
  }

  /** What it returns takes the place of the promise, so that a rejection that nobody handles stays one. */
  #chain (result: unknown, known: StatementRow, startedMs: number): unknown {
    return (result as Promise<unknown>).then(value => {
      this.#succeeded(known, startedMs, value)
      return value
    }, error => {
      this.#failed(known, startedMs, error)
      throw error
    })
  }

  #observe (submittable: Submittable, known: StatementRow, startedMs: number): void {
    let isOver = false
    const end = (record: () => void): void => {
      if (!isOver) record()
      isOver = true
    }
    wrapMethod(submittable, 'handleError', (receiver, original, args) => {
      end(() => this.#failed(known, startedMs, args[0]))
      return Reflect.apply(original, receiver, args)
    })
    wrapMethod(submittable, 'handleReadyForQuery', (receiver, original, args) => {
      if (!submittable._canceledDueToError) end(() => this.#succeeded(known, startedMs, undefined))
      return Reflect.apply(original, receiver, args)
    })
  }

  #succeeded ({ row, statement }: StatementRow, startedMs: number, result: unknown): void {
    row.succeeded(startedMs)
    if (statement.transaction === undefined) return
    // Within a failed transaction nothing but its end can come first.
    const first = (Array.isArray(result) ? result[0] : result) as { command?: unknown } | undefined
    this.#transactions.succeeded(statement, first?.command === 'ROLLBACK')
    this.#hearEnd()
  }

  #failed ({ row, statement }: StatementRow, startedMs: number, error: unknown): void {
    row.failed(startedMs, error, ERROR_TYPES.get((error as Error).message))
    const isOfSeveral = statement.earlier !== undefined && statement.isChained !== true
    if (isOfSeveral && typeof this.#client.getTransactionStatus?.() === 'string') this.#isInDoubt = true
    else this.#transactions.failed(statement)
    this.#hearEnd()
  }
}

/** The statement of what `query()` is given first: text, a configuration object, what has a `submit()`. */
export function textOf (given: unknown): unknown {
  if (typeof given === 'string') return given
  const config = given as Config | null | undefined
  return config?.text ?? config?.cursor?.text
}

function isSubmittable (config: unknown): config is Submittable {
  return typeof config === 'object' && config !== null && typeof (config as Submittable).submit === 'function'
}
