import t from 'tap'
import { dbContract } from './db-contract.ts'
import { DatabaseSync, TaggingDatabase } from './support/database-sync.ts'
import { instrumented } from '../support/instrumented.ts'
import { openSqlite, sqlite, sqliteFile } from './support/sqlite-subject.ts'

const file = sqliteFile(t)

dbContract(t, {
  ...sqlite,
  title: 'node:sqlite',
  touched: ['prepare', 'exec', 'close'],
  errorTypes: { ...sqlite.errorTypes, duplicate: '1555' },
  open: () => openSqlite(new DatabaseSync(file), (database, sql) => {
    const statement = database.prepare(sql)
    return /^select/.test(sql) ? statement.all() : statement.run()
  })
})

t.test('observes node:sqlite', async t => {
  const database = new DatabaseSync(':memory:')
  database.exec('create table cats (name text primary key, age integer); insert into cats values (\'Joey\', 2)')
  const { vitals, count, errors, transactions } = await instrumented(t, database, 'sqlite')
  const select = database.prepare('select age from cats where name = ?')
  t.match(select.get('Joey'), { age: 2 })
  t.equal(select.all('Joey').length, 1)
  t.equal([...select.iterate('Joey')].length, 1)
  t.equal(count('SELECT', 'cats'), 3)
  database.prepare('update cats set age = ?').run(1)
  t.equal(count('UPDATE', 'cats'), 1)
  t.throws(() => database.exec('insert into cats (name) values (\'Joey\')'), { code: 'ERR_SQLITE_ERROR' })
  t.equal(errors('INSERT', '1555'), 1)
  database.exec('begin')
  database.exec('insert into cats (name) values (\'Tom\')')
  database.exec('rollback')
  database.exec('begin')
  database.close()
  t.equal(transactions('rolled_back'), 2)
  database.open()
  database.exec('create table dogs (name text)')
  t.equal(count('CREATE', 'dogs'), 1)
  vitals.uninstrument(database)
  database.close()
})

t.test('counts the statements of templates', async t => {
  const database = new TaggingDatabase(':memory:')
  database.exec('create table cats (name text primary key, age integer)')
  const early = database.createTagStore()
  const { vitals, count, errors } = await instrumented(t, database, 'sqlite')
  const store = database.createTagStore()
  t.same(Object.keys(store), Object.keys(early))
  t.match(store.run`insert into cats values (${'Joey'}, ${2})`, { changes: 1 })
  t.match(store.get`select age from cats where name = ${'Joey'}`, { age: 2 })
  t.equal(store.all`select age from cats where name = ${'Tom'}`.length, 0)
  t.equal([...store.iterate`select * from cats`].length, 1)
  t.equal(store.size, 3)
  t.same([count('INSERT', 'cats'), count('SELECT', 'cats')], [1, 3])
  t.throws(() => store.run`insert into cats values (${'Joey'}, ${3})`, { code: 'ERR_SQLITE_ERROR' })
  t.equal(errors('INSERT', '1555'), 1)
  t.throws(() => store.get('select 1' as unknown as TemplateStringsArray), { message: /template literal/ })
  t.equal(count('other', 'other', 'error'), 1)
  const another = database.createTagStore()
  another.get`select 1 from cats`
  t.equal(count('SELECT', 'cats'), 4)
  early.get`select 1 from cats`
  vitals.uninstrument(database)
  another.get`select 1 from cats`
  t.equal(count('SELECT', 'cats'), 4)
  t.notOk(Object.hasOwn(database, 'createTagStore'))
  database.close()
})

t.test('a Node that does not tell whether a transaction is open: a commit that fails has ended it', async t => {
  const real = new DatabaseSync(':memory:')
  const database = { open: () => real.open(), close: () => real.close(), exec: (sql: string) => real.exec(sql), prepare: (sql: string) => real.prepare(sql) }
  const { transactions } = await instrumented(t, database, 'sqlite')
  database.exec('pragma foreign_keys = on; create table cats (name text primary key); create table kittens (cat text references cats deferrable initially deferred)')
  database.exec('begin; insert into kittens values (\'nobody\')')
  t.throws(() => database.exec('commit'))
  t.equal(transactions('rolled_back'), 1)
  database.close()
})

t.test('observes a node:sqlite database that is opened later', async t => {
  const database = new DatabaseSync(':memory:')
  database.close()
  const { count, transactions } = await instrumented(t, database, 'sqlite')
  database.open()
  database.exec('create table dogs (name text)')
  t.equal(count('CREATE', 'dogs'), 1)
  database.exec('begin')
  database.exec('commit')
  t.equal(transactions('committed'), 1)
  database.close()
  let thrown: unknown
  try {
    database.exec('select 1')
  } catch (error) {
    thrown = error
  }
  t.notMatch((thrown as Error).stack, /isOpen/, 'the error is that of exec()')
})
