import { performance } from 'node:perf_hooks'
import type { DbClient, StatementRow } from './db-client.ts'
import { createStamp } from '../stamp.ts'
import { TransactionTracker } from './transaction-tracker.ts'
import { wrapMethod } from '../wrap-method.ts'

/** What is used of a database: better-sqlite3 has one of these, node:sqlite of a late Node the other. */
interface Database {
  readonly inTransaction?: boolean
  readonly isTransaction?: boolean
}

type Method = (this: unknown, ...args: unknown[]) => unknown

/** Which statement a method runs; `undefined` where it is left for the library to refuse. */
type KnownOf = (receiver: object, args: unknown[]) => StatementRow | undefined

const VERSIONS = ['default', 'deferred', 'immediate', 'exclusive'] as const

/** One database of better-sqlite3 or node:sqlite: each statement of it, which is over when its method returns. */
export class SqliteDatabase {
  readonly #database: WeakRef<Database>
  readonly #db: DbClient
  readonly #transactions: TransactionTracker
  readonly #known = createStamp<StatementRow>()
  readonly #restore: (() => void)[]
  /** What statements inherit: their own prototype, observed; one for all, so that it costs `prepare()` little. */
  #prototype: object | undefined
  #isLeft = false

  constructor (database: Database, db: DbClient) {
    this.#database = new WeakRef(database)
    this.#db = db
    this.#transactions = new TransactionTracker(db)
    this.#transactions.saw(this.#isOpen() === true)
    this.#restore = [
      wrapMethod(database, 'prepare', (receiver, original, args) => this.#prepare(receiver, original, args)),
      wrapMethod(database, 'exec', (receiver, original, args) => this.#run(this.#db.statement(args[0]), receiver, original, args)),
      wrapMethod(database, 'close', (receiver, original, args) => {
        const result = Reflect.apply(original, receiver, args)
        this.#transactions.lost()
        return result
      })
    ]
    if ('pragma' in database) this.#restore.push(wrapMethod(database, 'pragma', (receiver, original, args) => this.#run(this.#db.statement(typeof args[0] === 'string' ? `PRAGMA ${args[0]}` : undefined), receiver, original, args)))
    if ('createTagStore' in database) this.#restore.push(wrapMethod(database, 'createTagStore', (receiver, original, args) => this.#createStore(receiver, original, args)))
    if ('transaction' in database) this.#restore.push(wrapMethod(database, 'transaction', (receiver, original, args) => this.#observeTransaction(receiver, original, args)))
  }

  detach (): void {
    this.#isLeft = true
    for (const restore of this.#restore) restore()
  }

  #isOpen (): boolean | undefined {
    const database = this.#database.deref()
    try {
      return database?.inTransaction ?? database?.isTransaction
    } catch {
      // A database of node:sqlite that is closed, or not open yet.
      return false
    }
  }

  #prepare (receiver: object, original: Method, args: unknown[]): unknown {
    const known = this.#db.statement(args[0])
    const startedMs = performance.now()
    try {
      const statement = Reflect.apply(original, receiver, args) as object
      // Of an application that keeps its statements.
      if (this.#known.find(statement) !== undefined) return statement
      this.#known.set(statement, known)
      this.#prototype ??= this.#createPrototype(statement)
      return Object.setPrototypeOf(statement, this.#prototype)
    } catch (error) {
      this.#failed(known, startedMs, error)
      throw error
    }
  }

  #createPrototype (statement: object): object {
    const prototype = Object.create(Object.getPrototypeOf(statement) as object) as object
    this.#restore.push(...this.#observe(prototype, this.#knownOf))
    return prototype
  }

  /** What runs templates in node:sqlite; each has a prototype of its own. To be held by nobody it stays observed, and is not looked at any more. */
  #createStore (receiver: object, original: Method, args: unknown[]): unknown {
    const store = Reflect.apply(original, receiver, args) as object
    this.#observe(store, (_receiver, [strings]) => this.#isLeft ? undefined : this.#db.statement(Array.isArray(strings) ? strings.join('?') : undefined))
    return store
  }

  #observe (target: object, knownOf: KnownOf): (() => void)[] {
    // The first versions of node:sqlite have no iterate().
    const has = (name: string): boolean => typeof Reflect.get(target, name) === 'function'
    const observe = (name: string, run: (known: StatementRow, receiver: object, original: Method, args: unknown[]) => unknown): () => void => wrapMethod(target, name, (receiver, original, args) => {
      const known = knownOf(receiver, args)
      return known === undefined ? Reflect.apply(original, receiver, args) : run(known, receiver, original, args)
    })
    return [
      ...['run', 'get', 'all'].filter(has).map(name => observe(name, (known, receiver, original, args) => this.#run(known, receiver, original, args))),
      ...['iterate'].filter(has).map(name => observe(name, (known, receiver, original, args) => this.#iterate(known, receiver, original, args)))
    ]
  }

  /** Of anything but a statement of the database nothing is known. */
  readonly #knownOf: KnownOf = receiver => {
    try {
      return this.#known.get(receiver)
    } catch {
      return undefined
    }
  }

  #run (known: StatementRow, receiver: object, original: Method, args: unknown[]): unknown {
    const startedMs = performance.now()
    try {
      const result = Reflect.apply(original, receiver, args)
      this.#succeeded(known, startedMs)
      return result
    } catch (error) {
      this.#failed(known, startedMs, error)
      throw error
    }
  }

  /** Over when it is read to its end or left. */
  #iterate (known: StatementRow, receiver: object, original: Method, args: unknown[]): unknown {
    const startedMs = performance.now()
    let isOver = false
    const end = (record: () => void): void => {
      if (!isOver) record()
      isOver = true
    }
    const step = (receiver: object, original: Method, args: unknown[]): unknown => {
      try {
        const result = Reflect.apply(original, receiver, args) as { done?: boolean }
        if (result.done === true) end(() => this.#succeeded(known, startedMs))
        return result
      } catch (error) {
        end(() => this.#failed(known, startedMs, error))
        throw error
      }
    }
    const iterator = step(receiver, original, args) as object
    for (const name of ['next', 'return'].filter(name => name in iterator)) wrapMethod(iterator, name, step)
    return iterator
  }

  /** The functions that `transaction()` makes: whether they commit or roll back; inside another transaction they do neither. */
  #observeTransaction (receiver: object, original: Method, args: unknown[]): unknown {
    const [body] = args as [Method | undefined]
    const transactions = this.#transactions
    const observedBody = typeof body !== 'function'
      ? body
      : function (this: unknown, ...values: unknown[]): unknown {
        transactions.saw(true)
        return Reflect.apply(body, this, values)
      }
    const bare = Reflect.apply(original, receiver, [observedBody, ...args.slice(1)]) as Method
    const properties = Object.getOwnPropertyDescriptors(bare) as Record<string, PropertyDescriptor>
    for (const name of VERSIONS) {
      const run = properties[name]!.value as Method
      const observed = (self: unknown, values: unknown[]): unknown => {
        if (this.#isOpen()) return Reflect.apply(run, self, values)
        try {
          const result = Reflect.apply(run, self, values)
          transactions.committed()
          return result
        } catch (error) {
          transactions.lost()
          throw error
        }
      }
      properties[name]!.value = function sqliteTransaction (this: unknown, ...values: unknown[]): unknown { return observed(this, values) }
    }
    const own = Object.fromEntries([...VERSIONS, 'database'].map(name => [name, properties[name]!]))
    for (const name of VERSIONS) Object.defineProperties(properties[name]!.value, own)
    return properties['default']!.value
  }

  #succeeded ({ row, statement }: StatementRow, startedMs: number): void {
    row.succeeded(startedMs)
    if (statement.transaction === undefined) return
    this.#transactions.succeeded(statement)
    // The name of a savepoint may be one that cannot be told.
    if (this.#isOpen() === false) this.#transactions.committed()
  }

  /** A COMMIT that fails may leave the transaction open, another statement may end it, and a text of several have begun one. */
  #failed ({ row, statement }: StatementRow, startedMs: number, error: unknown): void {
    row.failed(startedMs, error, resultCodeOf(error))
    const isOpen = this.#isOpen()
    if (isOpen === undefined) this.#transactions.failed(statement)
    else if (!isOpen) this.#transactions.lost()
    else if (statement.transaction !== undefined) this.#transactions.saw(true)
  }
}

/** node:sqlite has one `code` for all errors, and SQLite's own beside it. */
function resultCodeOf (error: unknown): string | undefined {
  const { errcode } = Object(error) as { errcode?: unknown }
  return typeof errcode === 'number' ? String(errcode) : undefined
}
