import Database from 'better-sqlite3'
import t from 'tap'
import type { Test } from 'tap'
import { instrumented } from '../support/instrumented.ts'
import type { Readers } from '../support/instrumented.ts'
import { sqliteFile } from './support/sqlite-subject.ts'

const schema = 'create table cats (name text primary key, age integer); insert into cats values (\'Joey\', 2), (\'Sally\', 4), (\'Junior\', 1)'

async function open (t: Test, path = ':memory:'): Promise<Readers & { database: Database.Database }> {
  const database = new Database(path, { timeout: 0 })
  t.teardown(() => { database.close() })
  database.exec(schema)
  return { database, ...await instrumented(t, database, 'sqlite') }
}

t.test('counts every form of a statement once, with the answer of a bare database', async t => {
  const { database, count } = await open(t)
  const bare = new Database(':memory:')
  bare.exec(schema)
  const select = 'select age from cats where name = ?'
  const forms: Record<string, (database: Database.Database) => unknown> = {
    get: database => database.prepare(select).get('Joey'),
    all: database => database.prepare(select).all('Joey'),
    'iterate to the end': database => [...database.prepare(select).iterate('Joey')],
    'iterate and leave': database => {
      const [first] = database.prepare('select age from cats').iterate()
      return first
    },
    pluck: database => database.prepare(select).pluck().get('Joey'),
    'raw and bound': database => database.prepare(select).raw().bind('Joey').all(),
    'named parameters': database => database.prepare('select age from cats where name = @name').get({ name: 'Joey' }),
    'no row': database => database.prepare(select).get('nobody')
  }
  let counted = 0
  for (const [name, run] of Object.entries(forms)) {
    t.same(run(database), run(bare), name)
    t.equal(count('SELECT', 'cats'), ++counted, name)
  }
  t.same(database.prepare('insert into cats values (?, ?)').run('Tom', 9), { changes: 1, lastInsertRowid: 4 })
  t.equal(count('INSERT', 'cats'), 1)
  t.equal(database.exec('update cats set age = 3; delete from cats'), database)
  t.equal(count('UPDATE', 'cats'), 1)
  t.same(database.pragma('cache_size', { simple: true }), bare.pragma('cache_size', { simple: true }))
  t.equal(count('PRAGMA'), 1)
})

t.test('leaves a statement what it was', async t => {
  const { database } = await open(t)
  const statement = database.prepare('select name, age from cats')
  const bare = new Database(':memory:').exec(schema).prepare('select name, age from cats')
  t.equal(statement.constructor, bare.constructor)
  t.ok(statement instanceof bare.constructor)
  t.equal(statement.source, bare.source)
  t.equal(statement.reader, true)
  t.equal(statement.database, database)
  t.same(statement.columns(), bare.columns())
  t.equal(statement.safeIntegers(), statement, 'methods that return the statement')
  for (const name of ['run', 'get', 'all', 'iterate'] as const) {
    t.equal(statement[name].name, bare[name].name)
    t.equal(statement[name].length, bare[name].length)
  }
})

t.test('counts errors once, and throws them on', async t => {
  const { database, errors, count } = await open(t)
  t.throws(() => database.prepare('select nothing from cats'), { code: 'SQLITE_ERROR' })
  t.equal(errors('SELECT', 'SQLITE_ERROR'), 1)
  t.throws(() => database.exec('insert into cats (name) values (\'Joey\')'), { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' })
  t.equal(errors('INSERT', 'SQLITE_CONSTRAINT_PRIMARYKEY'), 1)
  t.throws(() => database.pragma('nothing = (('), { code: 'SQLITE_ERROR' })
  t.equal(errors('PRAGMA', 'SQLITE_ERROR'), 1)
  database.function('refuse', () => { throw new RangeError('refused') })
  t.throws(() => [...database.prepare('select refuse() from cats').iterate()], { message: 'refused' })
  t.equal(errors('SELECT', 'RangeError'), 1)
  t.throws(() => database.prepare('delete from cats').iterate(), TypeError)
  t.equal(errors('DELETE', 'TypeError'), 1)
  t.throws(() => database.prepare(5 as unknown as string), TypeError)
  t.equal(count('other', 'other', 'error'), 1)
})

t.test('counts the transactions of transaction()', async t => {
  const { database, transactions } = await open(t)
  const bare = new Database(':memory:').exec(schema)
  const insertCats = (database: Database.Database): Database.Transaction<(this: unknown, ...names: string[]) => number> => {
    const insert = database.prepare('insert into cats (name) values (?)')
    return database.transaction(function (this: unknown, ...names: string[]) {
      for (const name of names) insert.run(name)
      return names.length
    })
  }
  const insertMany = insertCats(database)
  const expected = insertCats(bare)
  t.equal(insertMany('Tom', 'Tim'), expected('Tom', 'Tim'))
  t.equal(insertMany.immediate('Kim'), 1)
  t.equal(insertMany.deferred('Jim'), 1)
  t.equal(insertMany.exclusive('Jam'), 1)
  t.equal(insertMany.default('Jem'), 1)
  t.equal(transactions('committed'), 5)
  t.throws(() => insertMany('Ann', 'Joey'), { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' })
  t.equal(transactions('rolled_back'), 1)
  t.equal(database.prepare('select * from cats where name = ?').get('Ann'), undefined)
  const outer = database.transaction((name: string) => {
    insertMany('Pat')
    t.throws(() => insertMany(name))
    return 'outer'
  })
  t.equal(outer('Pat'), 'outer')
  t.equal(transactions('committed'), 6, 'one inside another is none of its own')
  t.equal(transactions('rolled_back'), 1)
  t.throws(() => database.transaction(async () => {})(), TypeError)
  t.equal(transactions('rolled_back'), 2)
  t.throws(() => database.transaction(5 as unknown as () => void), { constructor: TypeError, message: 'Expected first argument to be a function' })

  for (const version of ['default', 'deferred', 'immediate', 'exclusive'] as const) {
    const shape = (all: Record<string, PropertyDescriptor>): unknown => Object.entries(all).map(([name, { writable, enumerable, configurable, value }]) => [name, writable, enumerable, configurable, typeof value])
    t.same(shape(Object.getOwnPropertyDescriptors(insertMany[version])), shape(Object.getOwnPropertyDescriptors(expected[version])), version)
    t.equal((insertMany[version] as typeof insertMany).immediate, insertMany.immediate)
  }
  t.equal(insertMany.default, insertMany)
  t.equal((insertMany as unknown as { database: unknown }).database, database)
  const self = {}
  database.transaction(function (this: unknown) { t.equal(this, self) }).call(self)
})

t.test('counts the transactions of statements, as the database itself sees them', async t => {
  const path = sqliteFile(t)
  const { database, transactions, errors } = await open(t, path)
  database.pragma('foreign_keys = on')
  database.exec('create table kittens (cat text references cats deferrable initially deferred)')

  database.exec('begin; insert into kittens values (\'nobody\')')
  t.throws(() => database.exec('commit'), { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
  t.equal(transactions('rolled_back'), 0, 'a commit that fails leaves it open')
  database.prepare('rollback').run()
  t.equal(transactions('rolled_back'), 1)

  database.prepare('begin').run()
  t.throws(() => database.exec('insert or rollback into cats (name) values (\'Joey\')'))
  t.equal(transactions('rolled_back'), 2, 'a statement may end it')

  database.exec('begin; delete from kittens; commit')
  t.equal(transactions('committed'), 1)
  database.exec('begin; delete from kittens; commit; begin; delete from kittens; rollback; begin; commit')
  t.same([transactions('committed'), transactions('rolled_back')], [3, 3], 'each of a text that has several')

  const other = new Database(path, { timeout: 0 })
  t.teardown(() => { other.close() })
  other.exec('begin immediate')
  t.throws(() => database.transaction(() => {}).immediate(), { code: 'SQLITE_BUSY' })
  t.equal(transactions('rolled_back'), 3, 'what did not begin is not rolled back')
  t.equal(errors('INSERT', 'SQLITE_CONSTRAINT_PRIMARYKEY'), 1)
  other.exec('rollback')

  database.exec('begin')
  database.close()
  t.equal(transactions('rolled_back'), 4, 'closing ends it')
})

t.test('counts the transactions that an outermost savepoint begins', async t => {
  const { database, transactions } = await open(t)
  const run = (...texts: string[]): number[] => {
    for (const sql of texts) database.exec(sql)
    return [transactions('committed'), transactions('rolled_back')]
  }
  t.same(run('savepoint a', 'delete from cats'), [0, 0])
  t.same(run('savepoint b', 'release b', 'savepoint a', 'release savepoint a', 'rollback to a'), [0, 0])
  t.same(run('release A'), [1, 0])
  t.throws(() => database.exec('release a'), { message: /no such savepoint/ })
  t.same(run('savepoint a; savepoint b; savepoint a; rollback to b; release "a"'), [2, 0])
  t.same(run('savepoint a; release a; savepoint b; rollback transaction to savepoint b; release b; savepoint c'), [4, 0])
  t.same(run('savepoint d', 'release c'), [5, 0])
  t.same(run('savepoint \'e f\'', 'rollback to savepoint \'e f\'', 'release savepoint \'e f\''), [6, 0])
  t.same(run('savepoint a', 'commit'), [7, 0])
  t.same(run('savepoint chain', 'rollback to chain', 'release chain'), [8, 0])
  t.same(run('savepoint a', 'rollback'), [8, 1])
  t.same(run('begin', 'savepoint a', 'release a'), [8, 1], 'within another it is none')
  t.same(run('end'), [9, 1])

  database.transaction(() => { run('savepoint a', 'release a') })()
  t.same(run(), [10, 1])
  database.prepare('savepoint a').run()
  database.transaction(() => { run('delete from cats') })()
  t.same(run(), [10, 1])
  database.prepare('release a').run()
  t.same(run(), [11, 1])
  t.throws(() => database.transaction(() => { run('rollback') })(), { message: /cannot commit/ })
  t.same(run(), [11, 2], 'one that the application ends itself')
})

t.test('counts a transaction that a text began before it failed', async t => {
  const { database, transactions } = await open(t)
  const ended = (): number[] => [transactions('committed'), transactions('rolled_back')]
  t.throws(() => database.exec('begin; delete from cats; insert into missing values (1); commit'), { message: /no such table/ })
  database.exec('rollback')
  t.same(ended(), [0, 1])
  t.throws(() => database.exec('savepoint a; insert into missing values (1)'), { message: /no such table/ })
  database.exec('release a')
  t.same(ended(), [1, 1])
  t.throws(() => database.exec('savepoint a; insert into missing values (1)'), { message: /no such table/ })
  database.exec('savepoint b; release b; release a')
  t.same(ended(), [2, 1])
})

t.test('knows of a transaction that is open before', async t => {
  const database = new Database(':memory:')
  t.teardown(() => { database.close() })
  database.exec('begin')
  const { transactions } = await instrumented(t, database, 'sqlite')
  database.exec('savepoint a; release a')
  t.equal(transactions('committed'), 0)
  database.exec('commit')
  t.equal(transactions('committed'), 1)
})

t.test('statements that were prepared before and after do as they would without', async t => {
  const database = new Database(':memory:').exec(schema)
  t.teardown(() => { database.close() })
  const early = database.prepare('select 1 from cats')
  const { vitals, count } = await instrumented(t, database, 'sqlite')
  early.get()
  t.equal(count('SELECT', 'cats'), 0)
  const observed = database.prepare('select 1 from cats')
  const transaction = database.transaction(() => observed.get())
  vitals.uninstrument(database)
  t.same(observed.get(), { 1: 1 })
  t.same(observed.all().length, 3)
  t.same(transaction(), { 1: 1 })
  t.equal(count('SELECT', 'cats'), 0)
})

t.test('is observed by two applications, each in its own store', async t => {
  const { database, count } = await open(t)
  const other = await instrumented(t, database, 'sqlite')
  const statement = database.prepare('select 1 from cats')
  t.equal(statement.all().length, 3)
  t.equal(count('SELECT', 'cats'), 1)
  t.equal(other.count('SELECT', 'cats'), 1)
  other.vitals.uninstrument(database)
  t.equal([...statement.iterate()].length, 3)
  t.equal(database.prepare('select 1 from cats').all().length, 3)
  t.equal(count('SELECT', 'cats'), 3)
  t.equal(other.count('SELECT', 'cats'), 1)
})

t.test('counts the statements of a database that keeps them', async t => {
  class Keeping extends Database {
    readonly #kept = new Map<string, Database.Statement>()
    override prepare (sql: string): any {
      const statement = this.#kept.get(sql) ?? super.prepare(sql)
      this.#kept.set(sql, statement)
      return statement
    }
  }
  const database = new Keeping(':memory:')
  t.teardown(() => { database.close() })
  database.exec(schema)
  const { count } = await instrumented(t, database, 'sqlite')
  const first = database.prepare('select age from cats')
  t.equal(database.prepare('select age from cats'), first)
  t.equal(first.all().length, 3)
  t.equal(count('SELECT', 'cats'), 1)
})

t.test('throws what the library throws at what is no text', async t => {
  const { database } = await open(t)
  const bare = new Database(':memory:')
  for (const wrong of [undefined, Object.create(null), Symbol('pragma'), 7]) {
    for (const method of ['prepare', 'exec', 'pragma'] as const) {
      const messageOf = (database: Database.Database): unknown => {
        try {
          return database[method](wrong)
        } catch (error) {
          return String(error)
        }
      }
      t.equal(messageOf(database), messageOf(bare), method)
    }
  }
})

t.test('refuses drivers that do one call by another or answer later, as libsql', async t => {
  const { vitals } = await open(t)
  class LibsqlDatabase extends Database {
    maxWriteReplicationIndex (): undefined {}
  }
  const database = new LibsqlDatabase(':memory:')
  t.teardown(() => { database.close() })
  t.throws(() => vitals.instrument(database, { name: 'forms' }), { code: 'FSV_ERR_UNKNOWN_CLIENT', message: /better-sqlite3 \(Database, not those of libsql and Turso\)/ })
})

t.test('counts the statements of a driver whose iterators cannot be left', async t => {
  class Rows {
    readonly #rows: IterableIterator<unknown>
    constructor (rows: IterableIterator<unknown>) { this.#rows = rows }
    next (): IteratorResult<unknown> { return this.#rows.next() }
    [Symbol.iterator] (): this { return this }
  }
  class Statement {
    readonly #statement: Database.Statement
    constructor (statement: Database.Statement) { this.#statement = statement }
    iterate (...values: unknown[]): Rows { return new Rows(this.#statement.iterate(...values)) }
  }
  class OtherDatabase extends Database {
    override prepare (sql: string): never { return new Statement(super.prepare(sql)) as never }
  }
  const database = new OtherDatabase(':memory:')
  t.teardown(() => { database.close() })
  database.exec(schema)
  const { count } = await instrumented(t, database, 'sqlite')
  t.equal([...(database.prepare('select * from cats') as Database.Statement).iterate()].length, 3)
  t.equal(count('SELECT', 'cats'), 1)
})

t.test('leaves methods of statements that are called on something else for the library to refuse', async t => {
  const { database, count } = await open(t)
  const bare = new Database(':memory:')
  bare.exec(schema)
  const select = 'select age from cats'
  const calls = (database: Database.Database, receiver: unknown): unknown[] => ['run', 'get', 'all', 'iterate'].map(name => {
    const method = Reflect.get(database.prepare(select), name) as (...args: unknown[]) => unknown
    try {
      const result = method.call(receiver)
      return name === 'iterate' ? [...result as Iterable<unknown>] : result
    } catch (error) {
      return [(error as Error).name, (error as Error).message]
    }
  })
  for (const receiver of [undefined, null, 7, {}]) t.same(calls(database, receiver), calls(bare, receiver), String(receiver))
  t.same(calls(database, bare.prepare(select)), calls(bare, bare.prepare(select)), 'a statement of another database')
  t.equal(count('SELECT', 'cats'), 0)
})
