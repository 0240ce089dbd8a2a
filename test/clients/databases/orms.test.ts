import BetterSqlite from 'better-sqlite3'
import { eq } from 'drizzle-orm'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle as drizzleMysql } from 'drizzle-orm/mysql2'
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres'
import { pgTable, serial, text, withReplicas } from 'drizzle-orm/pg-core'
import { integer, sqliteTable, text as sqliteText } from 'drizzle-orm/sqlite-core'
import fastify from 'fastify'
import type { FastifyBaseLogger } from 'fastify'
import mysql from 'mysql2/promise'
import pg from 'pg'
import t from 'tap'
import type { Test } from 'tap'
import { DataSource, EntitySchema } from 'typeorm'
import type { DataSourceOptions } from 'typeorm'
import vitals from '../../../lib/index.ts'
import type { Vitals } from '../../../lib/index.ts'
import { startMariadb } from './support/mariadb-server.ts'
import { startPostgres } from './support/postgres-server.ts'

// docs/databases.md shows what these tests do.

const postgres = await startPostgres(t)
const mariadb = await startMariadb(t)
const mysqlAddress = { host: '127.0.0.1', port: mariadb.port, user: 'root', database: 'mysql' }

interface Readers {
  app: { vitals: Vitals }
  warnings: string[]
  count: (system: string, operation: string, table?: string) => number
  transactions: (system: string, status: string) => number
}

async function start (t: Test): Promise<Readers> {
  const warnings: string[] = []
  const ignore = (): void => {}
  const logger = { level: 'warn', fatal: ignore, error: ignore, warn: (message: string) => warnings.push(message), info: ignore, debug: ignore, trace: ignore, silent: ignore, child: () => logger }
  const app = fastify({ loggerInstance: logger as unknown as FastifyBaseLogger })
  await app.register(vitals, { enabled: true, endpoint: false })
  t.teardown(() => app.close())
  const read = (metric: string, labels: Record<string, string>): number => app.vitals.read(metric, { client: 'primary', ...labels }) as number ?? 0
  return {
    app,
    warnings,
    count: (system, operation, table = 'other') => read('db_queries_total', { system, operation, table, status: 'success' }),
    transactions: (system, status) => read('db_transactions_total', { system, status })
  }
}

t.test('drizzle on pg', async t => {
  const { app, count, transactions } = await start(t)
  const pool = new pg.Pool({ connectionString: postgres.url })
  t.teardown(() => pool.end())
  const db = drizzlePg(pool)
  t.equal(app.vitals.instrument(db, { name: 'primary' }), db)

  const users = pgTable('users', { id: serial('id').primaryKey(), name: text('name').notNull() })
  await db.execute('create table users (id serial primary key, name text not null)')
  await db.insert(users).values([{ name: 'Ann' }, { name: 'Bob' }])
  t.same(await db.select({ name: users.name }).from(users).where(eq(users.id, 2)), [{ name: 'Bob' }])
  await db.transaction(async tx => { await tx.update(users).set({ name: 'Bert' }).where(eq(users.id, 2)) })
  await t.rejects(db.transaction(async tx => {
    await tx.delete(users)
    tx.rollback()
  }))
  t.same(['CREATE', 'INSERT', 'SELECT', 'UPDATE', 'DELETE'].map(operation => count('postgresql', operation, 'users')), [1, 1, 1, 1, 1])
  t.same([transactions('postgresql', 'committed'), transactions('postgresql', 'rolled_back')], [1, 1])
  await db.execute('drop table users')
  await app.vitals.render()
  t.equal(app.vitals.read('db_connection_pool_max', { system: 'postgresql', client: 'primary' }), 10)
  t.equal(app.vitals.instrument(pool, { name: 'primary' }), pool, 'its driver is observed with it')
  await pool.query('select 1 from pg_class limit 1')
  t.equal(count('postgresql', 'SELECT', 'pg_class'), 1)
  t.equal(app.vitals.uninstrument(db), true)
  await pool.query('select 1 from pg_class limit 1')
  t.equal(count('postgresql', 'SELECT', 'pg_class'), 1)
  t.notOk(Object.hasOwn(pool, 'query'))
  app.vitals.instrument(pool, { name: 'primary' })
  app.vitals.instrument(db, { name: 'primary' })
  await db.execute('select 1 from pg_class limit 1')
  t.equal(count('postgresql', 'SELECT', 'pg_class'), 2, 'nothing is counted twice')
  app.vitals.uninstrument(db)
  t.ok(Object.hasOwn(pool, 'query'), 'what was instrumented by itself stays so')
})

t.test('drizzle with replicas', async t => {
  const { app, count } = await start(t)
  const [writing, reading] = [new pg.Pool({ connectionString: postgres.url, max: 2 }), new pg.Pool({ connectionString: postgres.url, max: 3 })]
  t.teardown(() => Promise.all([writing.end(), reading.end()]))
  const db = withReplicas(drizzlePg(writing), [drizzlePg(reading)])
  t.equal(app.vitals.instrument(db, { name: 'primary' }), db)
  const pets = pgTable('pets', { name: text('name').notNull() })
  await db.execute('create table pets (name text not null)')
  await db.insert(pets).values({ name: 'Rex' })
  t.same(await db.select().from(pets), [{ name: 'Rex' }])
  t.same(['CREATE', 'INSERT', 'SELECT'].map(operation => count('postgresql', operation, 'pets')), [1, 1, 1])
  await app.vitals.render()
  t.equal(app.vitals.read('db_connection_pool_max', { system: 'postgresql', client: 'primary' }), 5)
  app.vitals.uninstrument(db)
  t.same([writing, reading].map(pool => Object.hasOwn(pool, 'query')), [false, false])
  await db.execute('drop table pets')
})

t.test('drizzle on a driver that is not known is no client that is', async t => {
  const { app } = await start(t)
  for (const db of [drizzlePg.mock(), Object.assign(drizzlePg.mock(), { $client: null })]) {
    t.throws(() => app.vitals.instrument(db, { name: 'primary' }), { code: 'FSV_ERR_UNKNOWN_CLIENT', message: /drizzle \(on pg, mysql2 or better-sqlite3\)/ })
  }
})

t.test('drizzle on better-sqlite3 and mysql2', async t => {
  const { app, count, transactions } = await start(t)
  const sqlite = drizzleSqlite(new BetterSqlite(':memory:'))
  app.vitals.instrument(sqlite, { name: 'primary' })
  const notes = sqliteTable('notes', { id: integer('id').primaryKey(), note: sqliteText('note') })
  sqlite.$client.exec('create table notes (id integer primary key, note text)')
  sqlite.transaction(tx => { tx.insert(notes).values({ note: 'one' }).run() })
  t.same(sqlite.select().from(notes).all(), [{ id: 1, note: 'one' }])
  t.same([count('sqlite', 'INSERT', 'notes'), count('sqlite', 'SELECT', 'notes')], [1, 1])
  t.equal(transactions('sqlite', 'committed'), 1)

  const pool = mysql.createPool(mysqlAddress)
  t.teardown(() => pool.end())
  const onMysql = drizzleMysql(pool)
  app.vitals.instrument(onMysql, { name: 'primary' })
  const [rows] = await onMysql.execute('select 1 as one from information_schema.engines limit 1')
  t.same(rows, [{ one: 1 }])
  t.equal(count('mysql', 'SELECT', 'information_schema.engines'), 1)
})

t.test('typeorm, before it is initialized and after', async t => {
  const { app, count, transactions } = await start(t)
  const Post = new EntitySchema<{ id: number, title: string }>({ name: 'post', columns: { id: { type: 'integer', primary: true, generated: true }, title: { type: String } } })
  const common = { synchronize: true, dropSchema: false, entities: [Post] }
  const sources: [system: string, options: DataSourceOptions][] = [
    ['postgresql', { ...common, type: 'postgres', url: postgres.url }],
    ['mysql', { ...common, type: 'mysql', ...mysqlAddress, username: 'root' }],
    ['sqlite', { ...common, type: 'better-sqlite3', database: ':memory:' }]
  ]
  for (const [system, options] of sources) {
    const dataSource = new DataSource(options)
    const before = Object.getOwnPropertyDescriptor(dataSource.driver, 'connect')
    t.equal(app.vitals.instrument(dataSource, { name: 'primary' }), dataSource)
    await dataSource.initialize()
    const synchronized = transactions(system, 'committed')
    t.ok(synchronized >= 1, 'the schema was made in a transaction')

    const posts = dataSource.getRepository(Post)
    const post = await posts.save({ title: 'One' })
    t.same(await posts.findOneBy({ id: post.id }), post)
    await t.rejects(dataSource.transaction(async manager => {
      await manager.getRepository(Post).delete({ id: post.id })
      throw new Error('no')
    }))
    await posts.update({ id: post.id }, { title: 'Two' })
    t.same(['INSERT', 'DELETE', 'UPDATE'].map(operation => count(system, operation, 'post')), [1, 1, 1], system)
    t.ok(count(system, 'SELECT', 'post') >= 1, system)
    t.same([transactions(system, 'committed') - synchronized, transactions(system, 'rolled_back')], [1, 1], system)

    if (system !== 'sqlite') {
      const most = async (): Promise<unknown> => {
        await app.vitals.render()
        return app.vitals.read('db_connection_pool_max', { system, client: 'primary' })
      }
      const once = await most()
      t.equal(once, 10)
      await dataSource.destroy()
      await dataSource.initialize()
      await posts.update({ id: post.id }, { title: 'Three' })
      t.equal(count(system, 'UPDATE', 'post'), 2, 'a data source that is initialized again')
      t.equal(await most(), once, 'with its new pool alone')
    }
    const updates = count(system, 'UPDATE', 'post')
    t.equal(app.vitals.uninstrument(dataSource), true)
    await posts.update({ id: post.id }, { title: 'Four' })
    t.equal(count(system, 'UPDATE', 'post'), updates)
    t.same(Object.getOwnPropertyDescriptor(dataSource.driver, 'connect'), before)
    app.vitals.instrument(dataSource, { name: 'primary' })
    await posts.query('update post set title = \'Five\'')
    t.equal(count(system, 'UPDATE', 'post'), updates + 1, 'one that is initialized already')
    await posts.query('drop table post')
    await dataSource.destroy()
  }
})

t.test('typeorm with replicas', async t => {
  const { app, count } = await start(t)
  const url = postgres.url
  const sources: [system: string, options: DataSourceOptions][] = [
    ['postgresql', { type: 'postgres', replication: { master: { url }, slaves: [{ url }] } }],
    ['mysql', { type: 'mysql', replication: { master: { ...mysqlAddress, username: 'root' }, slaves: [{ ...mysqlAddress, username: 'root' }] } }]
  ]
  for (const [system, options] of sources) {
    const dataSource = app.vitals.instrument(new DataSource(options), { name: 'primary' })
    await dataSource.initialize()
    t.teardown(() => dataSource.destroy())
    for (const role of ['master', 'slave'] as const) {
      const runner = dataSource.createQueryRunner(role)
      await runner.query('select 1 from information_schema.tables limit 1')
      await runner.release()
    }
    t.equal(count(system, 'SELECT', 'information_schema.tables'), 2, system)
  }
})

t.test('typeorm on a driver that is not known is no client that is, or a warning where only its connection shows it', async t => {
  const { app, warnings } = await start(t)
  t.throws(() => app.vitals.instrument(new DataSource({ type: 'sqljs', driver: {} }), { name: 'primary' }), { code: 'FSV_ERR_UNKNOWN_CLIENT', message: /typeorm \(DataSource on pg, mysql2 or better-sqlite3\)/ })
  for (const wrong of [{ driver: { connect () {} }, initialize () {}, getRepository () {} }, { driver: null, options: { type: 'mysql' }, initialize () {}, getRepository () {} }]) {
    t.throws(() => app.vitals.instrument(wrong, { name: 'primary' }), { code: 'FSV_ERR_UNKNOWN_CLIENT' })
  }
  /** mysqljs, which its mysql driver takes too. */
  const driver = { pool: undefined as object | undefined, async connect () { this.pool = { query () {}, getConnection () {} } } }
  app.vitals.instrument({ driver, options: { type: 'mysql' }, initialize () {}, getRepository () {} }, { name: 'primary' })
  await driver.connect()
  t.equal(warnings.length, 1)
  t.match(warnings[0], /The queries of typeorm are not counted: what its driver mysql is built on is none of pg, mysql2, better-sqlite3/)
})
