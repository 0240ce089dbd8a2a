import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import t from 'tap'
import type { Test } from 'tap'
import { freePort } from '../../support/free-port.ts'
import { instrumented } from '../support/instrumented.ts'
import type { Readers } from '../support/instrumented.ts'
import { startPostgres } from './support/postgres-server.ts'

const server = await startPostgres(t)

async function open (t: Test, config: pg.ClientConfig = {}): Promise<Readers & { client: pg.Client }> {
  const client = new pg.Client({ connectionString: server.url, ...config })
  client.on('error', () => {})
  const readers = await instrumented(t, client, 'postgresql')
  await client.connect()
  t.teardown(() => client.end())
  await client.query('create temporary table notes (id integer primary key, note text)')
  return { client, ...readers }
}

t.test('counts COPY streams once, when the server is through with them', async t => {
  const { client, count, errors } = await open(t)
  await pipeline(Readable.from(['1\tone\n', '2\ttwo\n']), client.query(copyFrom('copy notes from stdin')))
  await client.query('select 1')
  t.equal(count('COPY', 'notes'), 1)
  const rows = await client.query(copyTo('copy notes to stdout')).toArray()
  t.equal(Buffer.concat(rows).toString(), '1\tone\n2\ttwo\n')
  await client.query('select 1')
  t.equal(count('COPY', 'notes'), 2)
  await t.rejects(pipeline(Readable.from(['1\tagain\n']), client.query(copyFrom('copy notes from stdin'))), { code: '23505' })
  await client.query('select 1')
  t.equal(errors('COPY', '23505'), 1)
  await t.rejects(pipeline(Readable.from(['3\tthree\n']).map(() => { throw new Error('the source broke') }), client.query(copyFrom('copy notes from stdin'))), { message: 'the source broke' })
  await client.query('select 1')
  t.equal(errors('COPY', '57014'), 1, 'a stream that is destroyed')
  t.equal(count('COPY', 'notes', 'error'), 2)
})

t.test('counts LISTEN and NOTIFY, and no notification', async t => {
  const { client, count } = await open(t)
  await client.query('listen news')
  const told = once(client, 'notification')
  await client.query('notify news, \'secret\'')
  t.match(await told, [{ channel: 'news', payload: 'secret' }])
  t.same([count('LISTEN'), count('NOTIFY')], [1, 1])
})

t.test('counts the queries of a client that pipelines, with their transactions', async t => {
  const { client, count, errors, transactions } = await open(t, { pipeline: true } as pg.ClientConfig)
  const answers = await Promise.allSettled(['begin', 'insert into notes values (1)', 'commit', 'begin', 'select nothing from notes', 'commit', 'select 1 from notes'].map(async text => await client.query(text)))
  t.equal(answers.filter(({ status }) => status === 'rejected').length, 1)
  t.same([count('INSERT', 'notes'), count('SELECT', 'notes'), count('SELECT', 'notes', 'error'), errors('SELECT', '42703')], [1, 1, 1, 1])
  t.same([transactions('committed'), transactions('rolled_back')], [1, 1])
})

t.test('counts timeouts by what gave up: the server, the client, a query in the queue', async t => {
  const { client, count, errors } = await open(t, { statement_timeout: 50 })
  await t.rejects(client.query('select pg_sleep(10) from notes right join (values (1)) one on true'), { code: '57014' })
  t.equal(errors('SELECT', '57014'), 1)
  await client.query('set statement_timeout = 0')
  const patient = client.query('select pg_sleep(0.3)')
  await t.rejects(client.query({ text: 'select 1 from notes', query_timeout: 20 } as pg.QueryConfig), { message: 'Query read timeout' })
  const byCallback = await new Promise<Error>(resolve => client.query({ text: 'select 2 from notes', query_timeout: 20 } as pg.QueryConfig, resolve))
  t.equal(byCallback.message, 'Query read timeout')
  await patient
  t.equal(errors('SELECT', 'query_timeout'), 2)
  t.equal(count('SELECT', 'notes', 'error'), 3)
  t.equal(count('SELECT'), 1)
})

t.test('counts the queries of a client that cannot connect', async t => {
  const client = new pg.Client({ host: '127.0.0.1', port: await freePort(), user: 'postgres' })
  client.on('error', () => {})
  const { count, errors } = await instrumented(t, client, 'postgresql')
  await t.rejects(client.connect(), { code: 'ECONNREFUSED' })
  await t.rejects(client.query('select 1 from notes'), { message: 'Connection terminated unexpectedly' })
  t.equal(errors('SELECT', 'connection_terminated'), 1)
  t.equal(count('SELECT', 'notes', 'error'), 1)
})

t.test('counts the queries of a client that is closed', async t => {
  const client = new pg.Client(server.url)
  const { errors } = await instrumented(t, client, 'postgresql')
  await client.connect()
  await client.end()
  await t.rejects(client.query('select 1 from notes'), { message: 'Client was closed and is not queryable' })
  t.equal(errors('SELECT', 'connection_terminated'), 1)
})

t.test('counts a wait that a silent server outlasts as a timeout', async t => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const pool = new pg.Pool({ host: '127.0.0.1', port: (silent.address() as AddressInfo).port, user: 'postgres', connectionTimeoutMillis: 50 })
  const { errors, read } = await instrumented(t, pool, 'postgresql')
  await t.rejects(pool.query('select 1 from notes'), { message: /timeout/ })
  t.equal(errors('SELECT', 'connection_timeout'), 1)
  t.equal(read('db_connection_timeouts_total'), 1)
})

t.test('counts the queries of a pool that is ended meanwhile, and those behind its end', async t => {
  const pool = new pg.Pool({ connectionString: server.url, max: 2 })
  const { count, errors, read, vitals } = await instrumented(t, pool, 'postgresql')
  const running = ['select 1 from pg_class limit 1', 'select pg_sleep(0.1)'].map(async text => await pool.query(text))
  await once(pool, 'acquire')
  await Promise.all([pool.end(), ...running])
  t.same([count('SELECT', 'pg_class'), count('SELECT')], [1, 1])
  await t.rejects(pool.query('select 1 from pg_class'), { message: /Cannot use a pool after calling end/ })
  const nested = new Promise<string>(resolve => pool.query('select 1 from pg_class', () => pool.connect(error => resolve(error!.message))))
  t.match(await nested, /Cannot use a pool after calling end/)
  t.equal(errors('SELECT', 'pool_closed'), 2, 'a connection that a callback asks for is no query')
  await vitals.render()
  t.same(['size', 'active', 'idle', 'pending'].map(gauge => read(`db_connection_pool_${gauge}`)), [0, 0, 0, 0])
})
