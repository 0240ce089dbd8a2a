import fastifyMysql from '@fastify/mysql'
import type { MySQLPool, MySQLPromisePool } from '@fastify/mysql'
import fastifyPostgres from '@fastify/postgres'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import type { HistogramValue } from '../../../lib/index.ts'
import { startMariadb } from './support/mariadb-server.ts'
import { startPostgres } from './support/postgres-server.ts'

const postgres = await startPostgres(t)
const mariadb = await startMariadb(t)

interface Open {
  app: FastifyInstance
  /** By operation and status. */
  queries: () => Record<string, number>
  waits: () => number
}

async function open (t: Test, system: string, register: (app: FastifyInstance) => Promise<unknown>): Promise<Open> {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(vitals, { enabled: true, endpoint: false })
  await register(app)
  await app.ready()
  const queries: Open['queries'] = () => Object.fromEntries(['SELECT', 'BEGIN', 'COMMIT'].flatMap(operation => ['success', 'error'].map(status => {
    return [`${operation} ${status}`, app.vitals.read('db_queries_total', { system, client: 'primary', operation, table: 'other', status }) as number | undefined ?? 0] as const
  })).filter(([, count]) => count > 0))
  const waits = (): number => (app.vitals.read('db_connection_wait_seconds', { system, client: 'primary' }) as HistogramValue | undefined)?.count ?? 0
  return { app, queries, waits }
}

/** Resolves or rejects as a callback is called. */
function called<R> (start: (callback: (error: Error | null, result: R) => void) => unknown): Promise<R> {
  return new Promise((resolve, reject) => { start((error, result) => error ? reject(error) : resolve(result)) })
}

t.test('app.pg of @fastify/postgres is instrumented with its pool', async t => {
  const { app, queries, waits } = await open(t, 'postgresql', async app => await app.register(fastifyPostgres, { connectionString: postgres.url, max: 1, connectionTimeoutMillis: 200 }))
  const { pg } = app
  const before = { ...pg }
  t.equal(app.vitals.instrument(pg, { name: 'primary' }), pg)
  t.equal(app.vitals.instrument(pg.pool, { name: 'primary' }), pg.pool, 'nothing of it is observed twice')
  await pg.query('select 1')
  const client = await pg.connect()
  await client.query('select 2')
  await t.rejects(pg.query('select 3'), /timeout exceeded/)
  client.release()
  await pg.transact(async client => await client.query('select 4'))
  t.same(queries(), { 'SELECT success': 3, 'SELECT error': 1, 'BEGIN success': 1, 'COMMIT success': 1 })
  t.equal(waits(), 3)
  t.equal(app.vitals.read('db_connection_timeouts_total', { system: 'postgresql', client: 'primary' }), 1)
  t.equal(app.vitals.uninstrument(pg), true)
  t.same({ ...pg }, before)
  t.equal(pg.pool.listenerCount('connect'), 0)
  await pg.query('select 5')
  t.equal(waits(), 3)
})

t.test('app.pg whose pool is instrumented is left alone', async t => {
  const { app, queries } = await open(t, 'postgresql', async app => await app.register(fastifyPostgres, { connectionString: postgres.url }))
  const { pg } = app
  app.vitals.instrument(pg.pool, { name: 'primary' })
  const { query } = pg
  app.vitals.instrument(pg, { name: 'primary' })
  t.equal(pg.query, query)
  const client = await pg.connect()
  await client.query('select 1')
  client.release()
  await pg.query('select 2')
  t.same(queries(), { 'SELECT success': 2 }, 'connections that the pool makes are seen, whoever asked')
})

t.test('an object that only looks like app.pg is none, and a wait is counted once whatever it calls', async t => {
  const { app, queries, waits } = await open(t, 'postgresql', async app => await app.register(fastifyPostgres, { connectionString: postgres.url }))
  const { pool } = app.pg
  const own = { pool, query: async (text: string) => await pool.query(text), connect: async () => await pool.connect() }
  t.throws(() => app.vitals.instrument(own, { name: 'primary' }), { code: 'FSV_ERR_UNKNOWN_CLIENT' })
  const bound = { pool, query: own.query.bind(own), connect: own.connect.bind(own) }
  app.vitals.instrument(bound, { name: 'primary' })
  const client = await bound.connect()
  await client.query('select 1')
  client.release()
  await bound.query('select 2')
  t.same(queries(), { 'SELECT success': 2 })
  t.equal(waits(), 2)
})

t.test('app.mysql of @fastify/mysql is instrumented with its pool', async t => {
  const options = { host: '127.0.0.1', port: mariadb.port, user: 'root', database: 'mysql', connectionLimit: 1, waitForConnections: false }
  const { app, queries, waits } = await open(t, 'mysql', async app => await app.register(fastifyMysql, options))
  const { mysql } = app as unknown as { mysql: MySQLPool }
  const before = { ...mysql }
  t.equal(app.vitals.instrument(mysql, { name: 'primary' }), mysql)
  await called(done => mysql.query('select 1', done))
  const connection = await called<Parameters<Parameters<typeof mysql.getConnection>[0]>[1]>(done => mysql.getConnection(done))
  await called(done => connection.query('select 2', done))
  await t.rejects(called(done => mysql.query('select 3', done)), /No connections available/)
  connection.release()
  t.same(queries(), { 'SELECT success': 2, 'SELECT error': 1 })
  t.equal(waits(), 2)
  t.equal(app.vitals.uninstrument(mysql), true)
  t.same({ ...mysql }, before)
})

t.test('app.mysql whose pool is instrumented is left alone', async t => {
  const options = { host: '127.0.0.1', port: mariadb.port, user: 'root', database: 'mysql' }
  const { app, queries } = await open(t, 'mysql', async app => await app.register(fastifyMysql, options))
  const { mysql } = app as unknown as { mysql: MySQLPool }
  app.vitals.instrument(mysql.pool, { name: 'primary' })
  const { query } = mysql
  app.vitals.instrument(mysql, { name: 'primary' })
  t.equal(mysql.query, query)
  // The plugin has made one connection before.
  for (let i = 0; i < 2; i++) {
    const connection = await called<Parameters<Parameters<typeof mysql.getConnection>[0]>[1]>(done => mysql.getConnection(done))
    await called(done => connection.query('select 1', done))
  }
  t.same(queries(), { 'SELECT success': 2 }, 'connections that the pool makes are seen, whoever asked')
})

t.test('app.mysql with promises is instrumented with its pool', async t => {
  const options = { promise: true, host: '127.0.0.1', port: mariadb.port, user: 'root', database: 'mysql', connectionLimit: 1, waitForConnections: false } as const
  const { app, queries, waits } = await open(t, 'mysql', async app => await app.register(fastifyMysql, options))
  const { mysql } = app as unknown as { mysql: MySQLPromisePool }
  t.equal(app.vitals.instrument(mysql, { name: 'primary' }), mysql)
  await mysql.query('select 1')
  const connection = await mysql.getConnection()
  await connection.query('select 2')
  await t.rejects(mysql.query('select 3'), /No connections available/)
  connection.release()
  t.same(queries(), { 'SELECT success': 2, 'SELECT error': 1 })
  t.equal(waits(), 2)
})
