import BetterSqlite from 'better-sqlite3'
import knex from 'knex'
import type { Knex } from 'knex'
import pg from 'pg'
import t from 'tap'
import type { Test } from 'tap'
import type { HistogramValue } from '../../../lib/index.ts'
import { freePort } from '../../support/free-port.ts'
import { instrumented } from '../support/instrumented.ts'
import type { Readers } from '../support/instrumented.ts'
import { startPostgres } from './support/postgres-server.ts'

const server = await startPostgres(t)
const quiet = { warn () {}, error () {}, debug () {}, deprecate () {} }

async function onSqlite (t: Test): Promise<Readers & { db: Knex }> {
  const db = knex({ client: 'better-sqlite3', connection: { filename: ':memory:' }, useNullAsDefault: true })
  t.teardown(() => db.destroy())
  return { db, ...await instrumented(t, db, 'sqlite') }
}

async function onPostgres (t: Test): Promise<Readers & { db: Knex }> {
  const db = knex({ client: 'pg', connection: server.url, pool: { min: 0, max: 2 }, log: quiet })
  t.teardown(() => db.destroy())
  return { db, ...await instrumented(t, db, 'postgresql') }
}

t.test('counts what its builders build', async t => {
  const { db, count, vitals, read } = await onSqlite(t)
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
  t.equal(count('CREATE', 'users'), 1)
  t.equal(count('CREATE', 'accounts'), 1)
  const [id] = await db('users').insert({ user_name: 'Tim' })
  await db('accounts').insert({ account_name: 'knex', user_id: id })
  const rows = await db('users').join('accounts', 'users.id', 'accounts.user_id').select('users.user_name as user', 'accounts.account_name as account')
  t.same(rows.map(row => ({ ...row, active: true })), [{ user: 'Tim', account: 'knex', active: true }])
  t.equal(await db('users').where({ id }).update({ user_name: 'Tom' }), 1)
  t.same(await db('users').first('user_name'), { user_name: 'Tom' })
  t.equal(await db('accounts').where('id', 1).del(), 1)
  t.same(await db.with('named', db('users').select('user_name')).select('*').from('named'), [{ user_name: 'Tom' }])
  t.same([count('INSERT', 'users'), count('INSERT', 'accounts'), count('SELECT', 'users'), count('UPDATE', 'users'), count('DELETE', 'accounts')], [1, 1, 3, 1, 1])
  await vitals.render()
  t.equal(read('db_connection_pool_max'), 1)
  t.equal(read('db_connection_pool_idle'), 1)
})

t.test('counts transactions, and what is in them', async t => {
  const { db, count, transactions } = await onPostgres(t)
  await db.schema.createTable('books', table => { table.increments('id'); table.string('title').unique() })
  await db.transaction(async trx => {
    await trx('books').insert({ title: 'One' })
    await db('books').transacting(trx).insert({ title: 'Two' })
    await trx.transaction(async inner => { await inner('books').insert({ title: 'Three' }) })
  })
  t.equal(transactions('committed'), 1)
  await t.rejects(db.transaction(async trx => { await trx('books').insert({ title: 'One' }) }), { code: '23505' })
  t.equal(transactions('rolled_back'), 1)
  const open = await db.transaction()
  await open('books').insert({ title: 'Four' })
  await open.rollback()
  t.equal(transactions('rolled_back'), 2)
  t.equal(count('INSERT', 'books'), 4)
  t.equal(count('INSERT', 'books', 'error'), 1)
  t.equal(count('BEGIN'), 3)
  t.equal(count('SAVEPOINT'), 1)
  await db.schema.dropTable('books')
})

t.test('counts a stream when it is read', async t => {
  const { db, count } = await onPostgres(t)
  const rows: unknown[] = []
  for await (const row of db.select('*').from(db.raw('generate_series(1, 500) as n')).stream()) rows.push(row)
  t.equal(rows.length, 500)
  t.equal(count('SELECT'), 1)
})

t.test('its other ways to a result', async t => {
  const { db, count } = await onPostgres(t)
  const called = await new Promise(resolve => db.raw('select 1 as one').asCallback((error: unknown, result: pg.QueryResult) => resolve(error ?? result.rows)))
  t.same(called, [{ one: 1 }])
  const heard: string[] = []
  db.on('query', ({ sql }: { sql: string }) => heard.push(sql))
  await db.raw('select ?::int', [1]).timeout(5_000)
  t.same(heard, ['select $1::int'], 'its own events are as they were')
  t.equal(count('SELECT'), 2)
})

t.test('an error of a builder is no error of a database', async t => {
  const db = knex({ client: 'pg', connection: { host: '127.0.0.1', port: await freePort() }, pool: { min: 0, max: 1 }, log: quiet })
  t.teardown(() => db.destroy())
  const { errors, count } = await instrumented(t, db, 'postgresql')
  await t.rejects(db('books').select(), { code: 'ECONNREFUSED' })
  t.equal(errors('SELECT', 'ECONNREFUSED'), 1)
  await t.rejects(db.schema.createTable('one', () => {}).createTable('two', () => {}), { code: 'ECONNREFUSED' })
  t.equal(errors('CREATE', 'ECONNREFUSED'), 1)
  await t.rejects(db('books').where('id', undefined as unknown as number))
  t.equal(count('other', 'other', 'error'), 1, 'one that cannot be told')
  await t.rejects(db.client.acquireConnection(), { code: 'ECONNREFUSED' })
  t.equal(errors('SELECT', 'ECONNREFUSED'), 1, 'nobody asked for a statement')
})

t.test('counts nothing twice that its driver counts', async t => {
  const pool = new pg.Pool({ connectionString: server.url })
  const db = knex({ client: 'pg', connectionPool: pool } as Knex.Config)
  t.teardown(() => pool.end())
  const { vitals, count, read } = await instrumented(t, pool, 'postgresql')
  vitals.instrument(db, { name: 'builder' })
  await db.raw('select 1 from pg_class limit 1')
  t.equal(count('SELECT', 'pg_class'), 1)
  t.equal(vitals.read('db_queries_total', { system: 'postgresql', client: 'builder', operation: 'SELECT', table: 'pg_class', status: 'success' }), undefined)
  t.equal((vitals.read('db_connection_wait_seconds', { system: 'postgresql', client: 'builder' }) as HistogramValue).count, 1)
  await vitals.render()
  t.equal(vitals.read('db_connection_pool_size', { system: 'postgresql', client: 'builder' }), undefined, 'the pool that it was given shows its own gauges')
  t.equal(read('db_connection_pool_size'), 1)
})

t.test('leaves its client and its connections as they were', async t => {
  const db = knex({ client: 'better-sqlite3', connection: { filename: ':memory:' }, useNullAsDefault: true })
  t.teardown(() => db.destroy())
  await db.raw('create table seen (id int)')
  const held = await db.client.acquireConnection() as BetterSqlite.Database
  const before = [Object.keys(db.client), Object.getOwnPropertyNames(held)]
  const { vitals, count, read } = await instrumented(t, db, 'sqlite')
  held.prepare('select 1 from seen').all()
  t.equal(count('SELECT', 'seen'), 1, 'a connection that was handed out before')
  const copy = db.withUserParams({ a: 1 })
  t.equal(vitals.instrument(copy, { name: 'forms' }), copy)
  await vitals.render()
  t.equal(read('db_connection_pool_max'), 1, 'a copy of it has the same pool')
  vitals.uninstrument(copy)
  held.prepare('select 1 from seen').all()
  t.equal(count('SELECT', 'seen'), 2)
  t.equal(vitals.uninstrument(db), true)
  held.prepare('select 1 from seen').all()
  t.equal(count('SELECT', 'seen'), 2)
  t.same([Object.keys(db.client), Object.getOwnPropertyNames(held)], before)
  await db.client.releaseConnection(held)
})

t.test('says that it does not count the queries of a driver that it does not know', async t => {
  const dialect: string = 'knex/lib/dialects/better-sqlite3/index.js'
  const { default: BetterSqliteClient } = await import(dialect) as { default: typeof Knex.Client }
  /** The connection shows no more than the dialect needs. */
  class Hidden extends BetterSqliteClient {
    override async acquireRawConnection (): Promise<object> {
      const database = new BetterSqlite(':memory:')
      return { prepare: (sql: string) => database.prepare(sql), close: () => database.close() }
    }
  }
  Object.assign(Hidden.prototype, { dialect: 'unheard of' })
  const db = knex({ client: Hidden, connection: { filename: ':memory:' }, useNullAsDefault: true })
  t.teardown(() => db.destroy())
  const { vitals } = await instrumented(t, db, 'other_sql')
  for (let i = 0; i < 2; i++) t.same(await db.raw('select 1 as one'), [{ one: 1 }])
  await vitals.render()
  t.equal(vitals.read('db_connection_pool_idle', { system: 'other_sql', client: 'forms' }), 1)
  t.equal((vitals.read('db_connection_wait_seconds', { system: 'other_sql', client: 'forms' }) as HistogramValue).count, 2)
  t.equal(vitals.uninstrument(db), true)
  await db.destroy()
})

t.test('a destroyed knex shows no pool, and can be left', async t => {
  const { db, vitals, read } = await onSqlite(t)
  await db.raw('select 1')
  await vitals.render()
  t.equal(read('db_connection_pool_size'), 1)
  await db.destroy()
  await vitals.render()
  t.equal(read('db_connection_pool_size'), undefined)
  db.initialize()
  await db.raw('select 1')
  await vitals.render()
  t.equal(read('db_connection_pool_size'), 1, 'one that is there again')
  await db.destroy()
  t.equal(vitals.uninstrument(db), true)
})

t.test('what only looks a little like knex is no client that is known', async t => {
  const { vitals } = await onSqlite(t)
  for (const client of [{ client: {}, raw () {} }, { client: null }]) t.throws(() => vitals.instrument(client, { name: 'forms' }), { code: 'FSV_ERR_UNKNOWN_CLIENT' })
})

t.test('works on connections that cannot be observed, and shows its pool', async t => {
  const lock = (connection: object, done: (error: Error | null, connection: object) => void): void => {
    Object.defineProperty(connection, 'query', { value: Reflect.get(connection, 'query') })
    done(null, connection)
  }
  const db = knex({ client: 'pg', connection: server.url, pool: { min: 0, max: 2, afterCreate: lock }, log: quiet })
  t.teardown(() => db.destroy())
  const { count, vitals, read } = await instrumented(t, db, 'postgresql')
  for (let i = 0; i < 2; i++) t.same((await db.raw('select 1 as one from pg_class limit 1') as { rows: unknown }).rows, [{ one: 1 }])
  t.equal(count('SELECT', 'pg_class'), 0)
  await vitals.render()
  t.equal(read('db_connection_pool_max'), 2)
  t.equal(vitals.uninstrument(db), true)
})
