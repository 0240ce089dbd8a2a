import Database from 'better-sqlite3'

/** What the tests use of node:sqlite, whose types came after Node 20. */
export interface SyncDatabase {
  readonly isTransaction: boolean
  open (): void
  close (): void
  exec (sql: string): void
  prepare (sql: string): StatementSync
}

interface StatementSync {
  run (...values: unknown[]): unknown
  get (...values: unknown[]): unknown
  all (...values: unknown[]): unknown[]
  iterate (...values: unknown[]): IterableIterator<unknown>
}

/** Of later Nodes: keeps the statements that it makes of templates. */
export interface TagStore {
  run (strings: TemplateStringsArray, ...values: unknown[]): unknown
  get (strings: TemplateStringsArray, ...values: unknown[]): unknown
  all (strings: TemplateStringsArray, ...values: unknown[]): unknown[]
  iterate (strings: TemplateStringsArray, ...values: unknown[]): IterableIterator<unknown>
  readonly size: number
}

/** Its errors tell SQLite's extended result code, and no name of it. */
function translated<R> (run: () => R): R {
  try {
    return run()
  } catch (error) {
    const { message, code } = error as { message: string, code: string }
    throw Object.assign(new Error(message), { code: 'ERR_SQLITE_ERROR', errcode: code === 'SQLITE_CONSTRAINT_PRIMARYKEY' ? 1555 : 1, errstr: message })
  }
}

/** The interface of node:sqlite on top of better-sqlite3, for Node 20, which has none. */
class DatabaseOfNode20 implements SyncDatabase {
  readonly #path: string
  #database: Database.Database

  constructor (path: string) {
    this.#path = path
    this.#database = new Database(path)
  }

  get isTransaction (): boolean {
    if (!this.#database.open) throw Object.assign(new Error('database is not open'), { code: 'ERR_INVALID_STATE' })
    return this.#database.inTransaction
  }

  open (): void {
    this.#database = new Database(this.#path)
  }

  close (): void {
    this.#database.close()
  }

  exec (sql: string): void {
    translated(() => this.#database.exec(sql))
  }

  prepare (sql: string): StatementSync {
    return this.#prepare(sql)
  }

  createTagStore (): TagStore {
    return new TagStoreOfNode20(sql => this.#prepare(sql))
  }

  #prepare (sql: string): StatementSync {
    return new StatementOfNode20(translated(() => this.#database.prepare(sql)))
  }
}

class TagStoreOfNode20 implements TagStore {
  readonly #prepare: (sql: string) => StatementSync
  readonly #statements = new Map<string, StatementSync>()

  constructor (prepare: (sql: string) => StatementSync) {
    this.#prepare = prepare
  }

  get size (): number {
    return this.#statements.size
  }

  run (strings: TemplateStringsArray, ...values: unknown[]): unknown {
    return this.#statement(strings).run(...values)
  }

  get (strings: TemplateStringsArray, ...values: unknown[]): unknown {
    return this.#statement(strings).get(...values)
  }

  all (strings: TemplateStringsArray, ...values: unknown[]): unknown[] {
    return this.#statement(strings).all(...values)
  }

  iterate (strings: TemplateStringsArray, ...values: unknown[]): IterableIterator<unknown> {
    return this.#statement(strings).iterate(...values)
  }

  #statement (strings: TemplateStringsArray): StatementSync {
    if (!Array.isArray(strings)) throw new TypeError('First argument must be an array of strings (template literal).')
    const sql = strings.join('?')
    const statement = this.#statements.get(sql) ?? this.#prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}

class StatementOfNode20 implements StatementSync {
  readonly #statement: Database.Statement

  constructor (statement: Database.Statement) {
    this.#statement = statement
  }

  run (...values: unknown[]): unknown {
    return translated(() => this.#statement.run(...values))
  }

  get (...values: unknown[]): unknown {
    return translated(() => this.#statement.get(...values))
  }

  all (...values: unknown[]): unknown[] {
    return translated(() => this.#statement.all(...values))
  }

  iterate (...values: unknown[]): IterableIterator<unknown> {
    return translated(() => this.#statement.iterate(...values))
  }
}

const name: string = 'node:sqlite'
const native = await import(name).catch(() => undefined) as { DatabaseSync: typeof DatabaseOfNode20 } | undefined

/** The real one wherever Node has it. */
export const DatabaseSync: new (path: string) => SyncDatabase = native?.DatabaseSync ?? DatabaseOfNode20

/** The real one wherever it can make a store of templates. */
export const TaggingDatabase = (native !== undefined && 'createTagStore' in native.DatabaseSync.prototype ? native.DatabaseSync : DatabaseOfNode20) as new (path: string) => SyncDatabase & { createTagStore (): TagStore }
