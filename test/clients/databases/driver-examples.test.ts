import { once } from 'node:events'
import Database from 'better-sqlite3'
import knex from 'knex'
import { MongoClient } from 'mongodb'
import pg from 'pg'
import type { QueryResult } from 'pg'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import t from 'tap'
import { DatabaseSync } from './support/database-sync.ts'
import { called, compareExample, failureOf } from './support/examples.ts'
import { startMongoWire } from './support/mongo-wire.ts'
import { startPostgres } from './support/postgres-server.ts'

// What the READMEs and documentations of pg (node-postgres.com), better-sqlite3, mongodb and knex show first.

const postgres = await startPostgres(t)
const mongo = await startMongoWire(t)
const { url: connectionString } = postgres

const answerOf = ({ command, rowCount, rows, fields }: QueryResult): unknown => [command, rowCount, rows, fields.map(({ name, dataTypeID }) => [name, dataTypeID])]
const users = 'CREATE TEMPORARY TABLE users (id serial, name text, email text)'

await compareExample(t, 'pg: Welcome, Queries', 15, async instrument => {
  const client = instrument(new pg.Client(connectionString))
  await client.connect()
  const seen: unknown[] = [answerOf(await client.query('SELECT $1::text as message', ['Hello world!']))]
  await client.query(users)
  const text = 'INSERT INTO users(name, email) VALUES($1, $2) RETURNING *'
  seen.push(answerOf(await client.query(text, ['brianc', 'brian.m.carlson@gmail.com'])))
  seen.push(answerOf(await client.query({ text: 'INSERT INTO users(name, email) VALUES($1, $2)', values: ['brianc', 'brian.m.carlson@gmail.com'] })))
  const fetch = { name: 'fetch-user', text: 'SELECT * FROM users WHERE id = $1', values: [1] }
  seen.push(answerOf(await client.query(fetch)), answerOf(await client.query(fetch)), fetch)
  seen.push(answerOf(await client.query({ text: 'SELECT $1::text as first_name, $2::text as last_name', values: ['Brian', 'Carlson'], rowMode: 'array' })))
  seen.push(answerOf(await client.query({ text: 'SELECT * from users', types: { getTypeParser: () => (value: unknown) => value } })))
  const [plain] = await called(done => client.query('SELECT 1 AS one', done)) as [QueryResult]
  const [named] = await called(done => client.query({ name: 'get-name', text: 'SELECT $1::text', values: ['brianc'], rowMode: 'array' }, done)) as [QueryResult]
  seen.push(answerOf(plain), answerOf(named))
  const query = new pg.Query('select $1::text as name', ['brianc'])
  seen.push(client.query(query) === query)
  query.on('row', row => seen.push(row))
  await once(query, 'end')
  const notices: unknown[] = []
  client.on('notice', ({ message }) => notices.push(message))
  await client.query('DO $$ BEGIN RAISE NOTICE \'careful\'; END $$')
  await client.query('LISTEN foo')
  const notified = once(client, 'notification')
  await client.query('NOTIFY foo, \'bar!\'')
  const [{ channel, payload }] = await notified
  seen.push(notices, channel, payload, await failureOf(client.query('SELECT nothing')))
  await client.end()
  return seen
})

await compareExample(t, 'pg: Pooling, Transactions, Cursor, pg-query-stream', 16, async instrument => {
  const pool = instrument(new pg.Pool({ connectionString, max: 2 }))
  pool.on('error', () => {})
  const seen: unknown[] = [answerOf(await pool.query('SELECT $1::text as message', ['Hello world!']))]
  const client = await pool.connect()
  await client.query(users)
  try {
    await client.query('BEGIN')
    const { rows } = await client.query('INSERT INTO users(name) VALUES($1) RETURNING id', ['brianc'])
    seen.push(rows, answerOf(await client.query('INSERT INTO users(name, email) VALUES ($1, $2)', [rows[0].id, 's3.bucket.foo'])))
    await client.query('COMMIT')
    await client.query('BEGIN')
    await client.query('SELECT nothing')
  } catch (error) {
    seen.push((error as Error).message)
    await client.query('ROLLBACK')
  }
  const cursor = client.query(new Cursor('select n from generate_series(1, $1) n', [3]))
  seen.push(await cursor.read(2), await cursor.read(2), await cursor.read(2))
  await cursor.close()
  const [rows] = await called(done => client.query(new Cursor('select 1 as one')).read(2, done))
  seen.push(rows, await client.query(new QueryStream('SELECT * FROM generate_series(0, $1) num', [4])).toArray())
  client.release()
  let order = 'starting'
  const finished = called(done => pool.query('SELECT 1 AS one', done)).then(() => { order += ', callback query finished' })
  // pg 8.23 forgets a query that has not got its connection when the pool is ended.
  await new Promise(setImmediate)
  const drained = pool.end().then(() => { order += ', pool has drained' })
  await Promise.all([finished, drained])
  seen.push(order, await failureOf(pool.query('SELECT 1 AS one')), await failureOf(called(done => pool.query('SELECT 1 AS one', done))), await failureOf(pool.connect()))
  const single = instrument(new pg.Client(connectionString))
  seen.push((await called(done => single.connect(done))).length, await called(done => single.query('SELECT 1 AS one', done)).then(([result]) => answerOf(result)), (await called(done => single.end(done))).length)
  return seen
})

await compareExample(t, 'pg: Pipelining', 12, async instrument => {
  const client = instrument(new pg.Client({ connectionString, pipeline: true } as pg.ClientConfig))
  await client.connect()
  const seen: unknown[] = (await Promise.all([1, 2, 3].map(async n => await client.query(`SELECT ${n} AS num`)))).map(answerOf)
  const settled = await Promise.allSettled(['SELECT 1 AS num', 'SELECT INVALID SYNTAX', 'SELECT 3 AS num'].map(async text => await client.query(text)))
  seen.push(settled.map(({ status }) => status))
  const named = await Promise.all([1, 2].map(async i => await client.query({ name: 'get-user', text: 'SELECT $1::int AS id', values: [i] })))
  seen.push(named.map(answerOf))
  const transaction = ['BEGIN', 'SELECT 1 AS num', 'COMMIT'].map(async text => await client.query(text))
  seen.push((await Promise.all(transaction)).map(({ command }) => command))
  const last = client.query('SELECT 1 AS num')
  const ended = client.end()
  seen.push(answerOf(await last), await ended)
  return seen
})

await compareExample(t, 'better-sqlite3: README, API', 26, async instrument => {
  const db = instrument(new Database(':memory:'))
  const seen: unknown[] = [db.pragma('journal_mode = WAL'), db.pragma('cache_size = 32000'), db.pragma('cache_size', { simple: true })]
  db.exec('CREATE TABLE cats (name TEXT PRIMARY KEY, age INT); CREATE TABLE expenses (note TEXT, dollars INT)')
  const insert = db.prepare('INSERT INTO cats (name, age) VALUES (@name, @age)')
  const insertMany = db.transaction((cats: readonly object[]) => { for (const cat of cats) insert.run(cat) })
  insertMany([{ name: 'Joey', age: 2 }, { name: 'Sally', age: 4 }, { name: 'Junior', age: 1 }])
  const newExpense = db.prepare('INSERT INTO expenses (note, dollars) VALUES (?, ?)')
  const adopt = db.transaction((cats: readonly object[]) => {
    newExpense.run('adoption fees', 20)
    insertMany(cats)
  })
  adopt.immediate([{ name: 'Kitty', age: 9 }])
  seen.push(await failureOf((async () => adopt([{ name: 'Ann', age: 1 }, { name: 'Joey', age: 2 }]))()), db.inTransaction)
  seen.push(db.prepare('INSERT INTO cats (name, age) VALUES (?, ?)').run('Tom', 2))
  const byName = db.prepare('SELECT age FROM cats WHERE name = ?')
  seen.push(byName.get('Joey'), byName.all('Joey'), byName.get('nobody'), byName.pluck().get('Joey'), byName.pluck(false).get('Joey'), byName.raw().get('Joey'), byName.source, byName.reader)
  const all = db.prepare('SELECT * FROM cats ORDER BY name')
  for (const cat of all.iterate() as Iterable<{ name: string }>) if (cat.name === 'Joey') break
  seen.push(all.columns(), all.all())
  seen.push(db.prepare('SELECT cats.*, expenses.* FROM cats, expenses').expand().get())
  db.function('add2', (a: unknown, b: unknown) => String(a) + String(b))
  db.aggregate('addAll', { start: 0, step: (total: number, next: number) => total + next })
  seen.push(db.prepare('SELECT add2(?, ?)').pluck().get('foo', 'bar'), db.prepare('SELECT addAll(dollars) FROM expenses').pluck().get())
  seen.push(db.prepare('SELECT * FROM cats WHERE name = ?').bind('Tom').get())
  const copy = new Database(db.serialize())
  seen.push(copy.prepare('SELECT count(*) FROM cats').pluck().get(), await failureOf((async () => db.prepare('SELECT nothing'))()))
  return [...seen, db.close() === db, db.open]
})

await compareExample(t, 'node:sqlite: its page in the documentation of Node', 4, async instrument => {
  const database = instrument(new DatabaseSync(':memory:'))
  database.exec('CREATE TABLE data(key INTEGER PRIMARY KEY, value TEXT) STRICT')
  const insert = database.prepare('INSERT INTO data (key, value) VALUES (?, ?)')
  const seen: unknown[] = [insert.run(1, 'hello'), insert.run(2, 'world')]
  const query = database.prepare('SELECT * FROM data ORDER BY key')
  seen.push(query.all())
  database.close()
  return seen
})

await compareExample(t, 'mongodb: README', 9, async instrument => {
  const client = instrument(new MongoClient(mongo.url))
  await client.connect()
  const collection = client.db('test').collection('documents')
  const { acknowledged, insertedCount } = await collection.insertMany([{ a: 1 }, { a: 2 }, { a: 3 }])
  const found = await collection.find({}).toArray()
  const filtered = await collection.find({ a: 3 }).project({ _id: 0 }).toArray()
  const seen: unknown[] = [acknowledged, insertedCount, found.map(({ a }) => a), filtered.map(({ a }) => a)]
  seen.push(await collection.updateOne({ a: 3 }, { $set: { b: 1 } }), await collection.deleteMany({ a: 3 }), await collection.createIndex({ a: 1 }))
  await collection.insertOne({ _id: 1 as never })
  seen.push(await failureOf(collection.insertOne({ _id: 1 as never })).then(([name]) => name), await collection.drop())
  await client.close()
  return seen
})

await compareExample(t, 'knex: README', 10, async instrument => {
  const db = instrument(knex({ client: 'better-sqlite3', connection: { filename: ':memory:' }, useNullAsDefault: true }))
  await db.schema
    .createTable('users', table => {
      table.increments('id')
      table.string('user_name')
    })
    .createTable('accounts', table => {
      table.increments('id')
      table.string('account_name')
      table.integer('user_id').unsigned().references('users.id')
    })
  const inserted = await db('users').insert({ user_name: 'Tim' })
  await db('accounts').insert({ account_name: 'knex', user_id: inserted[0] })
  const selected = await db('users').join('accounts', 'users.id', 'accounts.user_id').select('users.user_name as user', 'accounts.account_name as account')
  const seen: unknown[] = [inserted, selected.map(row => ({ ...row, active: true }))]
  await db('users').select().then(users => { seen.push(users) })
  seen.push(await failureOf(db('nothing').select()))
  await db.transaction(async trx => { await trx('users').where({ id: 1 }).update({ user_name: 'Tom' }) })
  await db.destroy()
  return seen
})
