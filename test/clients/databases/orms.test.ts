import BetterSqlite from 'better-sqlite3'
import { eq } from 'drizzle-orm'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle as drizzleMysql } from 'drizzle-orm/mysql2'
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres'
import { pgTable, serial, text } from 'drizzle-orm/pg-core'
import { integer, sqliteTable, text as sqliteText } from 'drizzle-orm/sqlite-core'
import fastify from 'fastify'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { DataTypes, Sequelize } from 'sequelize'
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

async function start (t: Test): Promise<{ app: { vitals: Vitals }, count: (system: string, operation: string, table?: string) => number, transactions: (system: string, status: string) => number }> {
  const app = fastify()
  await app.register(vitals, { enabled: true, endpoint: false })
  t.teardown(() => app.close())
  const read = (metric: string, labels: Record<string, string>): number => app.vitals.read(metric, { client: 'primary', ...labels }) as number ?? 0
  return {
    app,
    count: (system, operation, table = 'other') => read('db_queries_total', { system, operation, table, status: 'success' }),
    transactions: (system, status) => read('db_transactions_total', { system, status })
  }
}

t.test('drizzle: its $client', async t => {
  const { app, count, transactions } = await start(t)
  const pool = new pg.Pool({ connectionString: postgres.url })
  t.teardown(() => pool.end())
  const db = drizzlePg(pool)
  app.vitals.instrument(db.$client, { name: 'primary' })

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
})

t.test('drizzle on better-sqlite3 and mysql2', async t => {
  const { app, count, transactions } = await start(t)
  const sqlite = drizzleSqlite(new BetterSqlite(':memory:'))
  app.vitals.instrument(sqlite.$client, { name: 'primary' })
  const notes = sqliteTable('notes', { id: integer('id').primaryKey(), note: sqliteText('note') })
  sqlite.$client.exec('create table notes (id integer primary key, note text)')
  sqlite.transaction(tx => { tx.insert(notes).values({ note: 'one' }).run() })
  t.same(sqlite.select().from(notes).all(), [{ id: 1, note: 'one' }])
  t.same([count('sqlite', 'INSERT', 'notes'), count('sqlite', 'SELECT', 'notes')], [1, 1])
  t.equal(transactions('sqlite', 'committed'), 1)

  const pool = mysql.createPool(mysqlAddress)
  t.teardown(() => pool.end())
  const onMysql = drizzleMysql(pool)
  app.vitals.instrument(onMysql.$client, { name: 'primary' })
  const [rows] = await onMysql.execute('select 1 as one from information_schema.engines limit 1')
  t.same(rows, [{ one: 1 }])
  t.equal(count('mysql', 'SELECT', 'information_schema.engines'), 1)
})

t.test('sequelize: each connection, as it is made', async t => {
  const { app, count, transactions } = await start(t)
  for (const [system, url] of [['postgresql', postgres.url], ['mysql', `mysql://root@127.0.0.1:${mariadb.port}/mysql`]] as const) {
    const sequelize = new Sequelize(url, { logging: false })
    t.teardown(() => sequelize.close())
    sequelize.addHook('afterConnect', connection => { app.vitals.instrument(connection as object, { name: 'primary' }) })

    const Task = sequelize.define('task', { title: DataTypes.STRING }, { timestamps: false })
    await sequelize.sync()
    const task = await Task.create({ title: 'sleep' })
    await task.update({ title: 'rest' })
    await sequelize.transaction(async transaction => {
      await Task.findAll({ where: { title: 'rest' }, transaction })
    })
    await t.rejects(sequelize.transaction(async transaction => {
      await Task.destroy({ where: {}, transaction })
      throw new Error('no')
    }))
    t.equal(await Task.count(), 1)
    t.same(['INSERT', 'UPDATE', 'SELECT', 'DELETE'].map(operation => count(system, operation, 'tasks')), [1, 1, 2, 1], system)
    t.same([transactions(system, 'committed'), transactions(system, 'rolled_back')], [1, 1], system)
    await Task.drop()
  }
})

t.test('typeorm: the driver of an initialized data source', async t => {
  const { app, count, transactions } = await start(t)
  const Post = new EntitySchema<{ id: number, title: string }>({ name: 'post', columns: { id: { type: 'integer', primary: true, generated: true }, title: { type: String } } })
  const common = { synchronize: true, entities: [Post] }
  const observe = (client: object): void => { app.vitals.instrument(client, { name: 'primary' }) }
  const sources: [system: string, options: DataSourceOptions][] = [
    ['postgresql', { ...common, type: 'postgres', url: postgres.url }],
    ['mysql', { ...common, type: 'mysql', ...mysqlAddress, username: 'root' }],
    ['sqlite', { ...common, type: 'better-sqlite3', database: ':memory:', prepareDatabase: observe }]
  ]
  for (const [system, options] of sources) {
    const dataSource = await new DataSource(options).initialize()
    t.teardown(() => dataSource.destroy())
    const { master, pool } = dataSource.driver as { master?: object, pool?: object }
    const client = system === 'postgresql' ? master : pool
    if (client !== undefined) observe(client)
    const before = transactions(system, 'committed')

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
    t.same([transactions(system, 'committed') - before, transactions(system, 'rolled_back')], [1, 1], system)
  }
})
