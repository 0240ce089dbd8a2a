import { once } from 'node:events'
import mysql from 'mysql2'
import type { Pool, PoolCluster, PoolConnection } from 'mysql2'
import mysqlPromise from 'mysql2/promise'
import t from 'tap'
import type { Test } from 'tap'
import type { HistogramValue } from '../../../lib/index.ts'
import { freePort } from '../../support/free-port.ts'
import { instrumented } from '../support/instrumented.ts'
import { called } from './support/examples.ts'
import { startMariadb } from './support/mariadb-server.ts'

const server = await startMariadb(t)
const address = { host: '127.0.0.1', port: server.port, user: 'root', database: 'mysql' }

const setUp = await mysqlPromise.createConnection(address)
await setUp.query('create table cluster (id int)')
await setUp.end()

/** Its types have no query() and no execute(). */
const of = (cluster: PoolCluster, pattern: string, selector?: string): Pool => cluster.of(pattern, selector) as unknown as Pool

function open (t: Test, options: mysql.PoolClusterOptions = {}): PoolCluster {
  const cluster = mysql.createPoolCluster(options)
  t.teardown(() => { cluster.end() })
  return cluster
}

t.test('observes the pools of a cluster, also those that come later', async t => {
  const cluster = open(t)
  cluster.add('first', { ...address, connectionLimit: 2 })
  const { vitals, count, read } = await instrumented(t, cluster, 'mysql')
  cluster.add('second', { ...address, connectionLimit: 3 })
  for (const name of ['first', 'second']) {
    const [connection] = await called(done => cluster.getConnection(name, done)) as [PoolConnection]
    await connection.promise().query('select 1 from cluster')
    connection.release()
  }
  await called(done => of(cluster, '*').query('select 1 from cluster', done))
  t.equal(count('SELECT', 'cluster'), 3)
  await vitals.render()
  t.equal(read('db_connection_pool_max'), 5)
  cluster.remove('second')
  await vitals.render()
  t.equal(read('db_connection_pool_max'), 2, 'a pool that is removed')
  t.equal(vitals.uninstrument(cluster), true)
  await called(done => of(cluster, '*').query('select 1 from cluster', done))
  t.equal(count('SELECT', 'cluster'), 3)
})

for (const [title, isKept] of [['asked for anew', false], ['asked for once', true]] as const) {
  t.test(`takes over a pool that was instrumented by itself once that has ended, of() ${title}`, async t => {
    const cluster = open(t)
    cluster.add('first', { ...address, connectionLimit: 1 })
    const { pool } = (cluster as unknown as { readonly _nodes: Readonly<Record<string, { readonly pool: Pool }>> })._nodes['first']!
    const { vitals, count } = await instrumented(t, pool, 'mysql')
    vitals.instrument(cluster, { name: 'several' })
    const countOfCluster = (): unknown => vitals.read('db_queries_total', { system: 'mysql', client: 'several', operation: 'SELECT', table: 'cluster', status: 'success' })
    const kept = of(cluster, 'first')
    const query = async (): Promise<unknown> => await called(done => (isKept ? kept : of(cluster, 'first')).query('select 1 from cluster', done))
    await query()
    t.same([count('SELECT', 'cluster'), countOfCluster()], [1, 0])
    t.equal(vitals.uninstrument(pool), true)
    await query()
    t.same([count('SELECT', 'cluster'), countOfCluster()], [1, 1])
    const connection = await called(done => kept.getConnection(done)) as [PoolConnection]
    connection[0].release()
    t.equal(vitals.uninstrument(cluster), true)
    await query()
    t.same([count('SELECT', 'cluster'), countOfCluster()], [1, 1])
  })
}

t.test('counts a statement that gets no connection from any pool, in each form', async t => {
  const cluster = open(t, { removeNodeErrorCount: 100 })
  const nobody = of(cluster, 'nobody')
  const { vitals, count, errors, read } = await instrumented(t, cluster, 'mysql')
  await t.rejects(called(done => nobody.query('select 1 from cluster', done)), { code: 'POOL_NOEXIST' }, 'of a pattern that was asked for before')
  await t.rejects(called(done => nobody.execute({ sql: 'select 1 from cluster' }, done)), { code: 'POOL_NOEXIST' })
  await t.rejects(called(done => cluster.getConnection('nobody', done)), { code: 'POOL_NOEXIST' })
  t.equal(errors('SELECT', 'POOL_NOEXIST'), 2, 'who asks for a connection asks for no statement')

  cluster.add('gone', { ...address, port: await freePort() })
  await t.rejects(once(of(cluster, 'gone').query('select 1 from cluster'), 'end'), { code: 'ECONNREFUSED' }, 'with events')
  t.equal(errors('SELECT', 'ECONNREFUSED'), 1)
  cluster.add('full', { ...address, connectionLimit: 1, waitForConnections: false })
  const held = await called(done => cluster.getConnection('full', done)) as [PoolConnection]
  cluster.remove('gone')
  const impatient = open(t, { canRetry: false })
  impatient.add('full', { ...address, connectionLimit: 1, waitForConnections: false })
  vitals.instrument(impatient, { name: 'forms' })
  const [taken] = await called(done => impatient.getConnection('full', done)) as [PoolConnection]
  await t.rejects(called(done => of(impatient, 'full').query('select 1 from cluster', done)), { message: 'No connections available.' })
  t.equal(errors('SELECT', 'connection_timeout'), 1)
  t.equal(read('db_connection_timeouts_total'), 1)
  t.equal(count('SELECT', 'cluster', 'error'), 4)
  held[0].release()
  taken.release()
  t.equal(vitals.uninstrument(cluster), true)
  await t.rejects(called(done => nobody.query('select 1 from cluster', done)), { code: 'POOL_NOEXIST' })
  t.equal(errors('SELECT', 'POOL_NOEXIST'), 2)
  t.same([Object.keys(cluster), Object.keys(nobody)], [Object.keys(mysql.createPoolCluster()), Object.keys(of(mysql.createPoolCluster(), 'nobody'))])
})

t.test('counts a statement once that another pool takes over', async t => {
  const cluster = mysqlPromise.createPoolCluster({ removeNodeErrorCount: 1, defaultSelector: 'ORDER' })
  t.teardown(() => cluster.end())
  cluster.add('first', { ...address, port: await freePort() })
  cluster.add('second', address)
  const { vitals, count, read } = await instrumented(t, cluster, 'mysql')
  const removed = once(cluster, 'remove')
  const [rows] = await cluster.of('*').query('select count(*) as count from cluster')
  t.same(rows, [{ count: 0 }])
  t.same(await removed, ['first'])
  t.equal(count('SELECT', 'cluster'), 1)
  t.equal(count('SELECT', 'cluster', 'error'), 0)
  t.equal((read('db_connection_wait_seconds') as HistogramValue).count, 1)
  await vitals.render()
  t.equal(read('db_connection_pool_max'), 10, 'the first pool is gone')
})

t.test('does without the private list of what of() has made', async t => {
  const cluster = open(t)
  cluster.add('first', address)
  const client = new Proxy(cluster, { get: (target, name) => name === '_namespaces' ? undefined : Reflect.get(target, name) })
  const { count } = await instrumented(t, client, 'mysql')
  await called(done => of(cluster, 'first').query('select 1 from cluster', done))
  t.equal(count('SELECT', 'cluster'), 1)
})
