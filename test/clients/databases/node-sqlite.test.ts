import t from 'tap'
import { dbContract } from './db-contract.ts'
import { DatabaseSync } from './support/database-sync.ts'
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
