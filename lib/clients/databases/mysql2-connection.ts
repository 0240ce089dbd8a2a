import type { DbClient, StatementRow } from './db-client.ts'
import { Mysql2Transactions } from './mysql2-transactions.ts'
import { replaceMethod, wrapMethod } from '../wrap-method.ts'
import type { Observer } from '../wrap-method.ts'

/** What is used of a command of mysql2: a query, the run of a prepared statement. */
interface Command {
  readonly emit: unknown
  readonly sql?: unknown
  readonly statement?: { readonly query?: unknown }
  onResult?: unknown
}

type Method = (...args: unknown[]) => unknown
type Callback = (this: unknown, ...given: unknown[]) => unknown
type Settle = (error: unknown, answer?: unknown) => void

/** What mysql2 says where an error has no code. */
const CLOSED = 'Can\'t add new command when connection is in closed state'

/** One connection to MySQL or MariaDB: each statement of it, prepared or not, with a callback or with events. */
export class Mysql2Connection {
  readonly #db: DbClient
  readonly #transactions: Mysql2Transactions
  /** Commands with events: when the connection breaks, they hear nothing. */
  readonly #listening = new Set<Settle>()
  readonly #restore: readonly (() => void)[]
  /** Whether it is being given a statement, and what it failed with meanwhile. */
  #isTaking = false
  #failure: unknown

  constructor (connection: object, db: DbClient) {
    this.#db = db
    this.#transactions = new Mysql2Transactions(db)
    const run: Observer = (receiver, original, args) => this.#run(receiver, original, args)
    const watched = this
    this.#restore = [
      wrapMethod(connection, 'query', run),
      wrapMethod(connection, 'execute', run),
      ...['reset', 'changeUser'].filter(name => name in connection).map(name => wrapMethod(connection, name, (receiver, original, args) => this.#end(receiver, original, args))),
      // The latter takes the place of the former in a connection that is closed.
      ...['addCommand', '_addCommandClosedState'].filter(name => name in connection).map(name => replaceMethod(connection, name, (original, replacement) => function (...args) {
        if (replacement.isOn && !watched.#isTaking) watched.#add(args[0] as Command)
        return Reflect.apply(original, this, args)
      })),
      replaceMethod(connection, 'emit', (original, replacement) => function (...args) {
        if (replacement.isOn) watched.#heard(args[0], args[1])
        return Reflect.apply(original, this, args)
      })
    ]
  }

  detach (): void {
    for (const restore of this.#restore) restore()
  }

  /** The hot path, measured in bench. */
  #run (receiver: object, original: Method, args: unknown[]): unknown {
    const [sql] = args as [Command | string | null | undefined]
    const settle = this.#start(this.#db.statement(textOf(sql)))
    const at = typeof args[1] === 'function' ? 1 : 2
    const isOfCommand = isCommand(sql)
    const hasCallback = !isOfCommand && typeof args[at] === 'function'
    const isAnswered = hasCallback || (isOfCommand && answer(sql, settle))
    if (hasCallback) args[at] = observe(args[at] as Callback, settle)
    this.#failure = undefined
    this.#isTaking = true
    try {
      const command = Reflect.apply(original, receiver, args)
      this.#isTaking = false
      if (!isAnswered) this.#listen(command as Command, settle)
      return command
    } catch (error) {
      this.#isTaking = false
      settle(error)
      throw error
    }
  }

  /** The run of a statement that `prepare()` has prepared. */
  #add (command: Command): void {
    if (command.statement === undefined) return
    this.#failure = undefined
    const settle = this.#start(this.#db.statement(command.statement.query))
    if (!answer(command, settle)) this.#listen(command, settle)
  }

  #heard (event: unknown, error: unknown): void {
    if (event === 'error') this.#broke(error)
    else if (event === 'end') this.#transactions.lost()
  }

  /** What ends a transaction beside a statement, when it is through: COM_RESET_CONNECTION, COM_CHANGE_USER. */
  #end (receiver: object, original: Method, args: unknown[]): unknown {
    const command = Reflect.apply(original, receiver, args)
    if (isCommand(command)) {
      wrapMethod(command, 'emit', (receiver, original, args) => {
        if (args[0] === 'end') this.#transactions.lost()
        return Reflect.apply(original, receiver, args)
      })
    }
    return command
  }

  #start (known: StatementRow): Settle {
    const startedMs = this.#db.start()
    let isOver = false
    const settle: Settle = (error, answer) => {
      if (isOver) return
      isOver = true
      if (this.#listening.size > 0) this.#listening.delete(settle)
      const { row, statement } = known
      if (error) {
        row.failed(startedMs, error, (error as Error).message === CLOSED ? 'connection_closed' : undefined)
        this.#transactions.failed(statement, error)
      } else {
        row.succeeded(startedMs)
        this.#transactions.succeeded(statement, answer)
      }
    }
    return settle
  }

  /** A listener for errors would keep those that nobody handles from being thrown. */
  #listen (command: Command, settle: Settle): void {
    if (this.#failure !== undefined) return settle(this.#failure)
    this.#listening.add(settle)
    let last: unknown
    wrapMethod(command, 'emit', (receiver, original, args) => {
      if (args[0] === 'result') last = args[1]
      else if (args[0] === 'error') settle(args[1])
      else if (args[0] === 'end') settle(undefined, last)
      return Reflect.apply(original, receiver, args)
    })
  }

  #broke (error: unknown): void {
    this.#failure = error
    for (const settle of this.#listening) settle(error)
    this.#transactions.lost()
  }
}

/** The statement of what `query()` and `execute()` are given first: text, a configuration object, a command. */
export function textOf (given: unknown): unknown {
  return typeof given === 'string' ? given : (given as { sql?: unknown } | null | undefined)?.sql
}

function isCommand (sql: unknown): sql is Command {
  return typeof sql === 'object' && sql !== null && typeof (sql as Command).emit === 'function'
}

/** Whether it has a callback. */
function answer (command: Command, settle: Settle): boolean {
  if (typeof command.onResult !== 'function') return false
  command.onResult = observe(command.onResult as Callback, settle)
  return true
}

function observe (callback: Callback, settle: Settle): Callback {
  return function (...given) {
    settle(given[0], given[1])
    return Reflect.apply(callback, this, given)
  }
}
