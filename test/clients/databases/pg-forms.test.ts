import { once } from 'node:events'
import { createRequire } from 'node:module'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import pg from 'pg'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import type { Vitals } from '../../../lib/index.ts'
import { gate } from '../../support/gate.ts'
import { instrumented } from '../support/instrumented.ts'
import { HOSTILE, logged, SECRET } from '../support/logged.ts'
import { startPostgres } from './support/postgres-server.ts'

// It has no types of its own.
const olderPg = createRequire(import.meta.url)('pg-8.11') as typeof pg
const server = await startPostgres(t)

/** The first byte of an error (PostgreSQL, "Message Formats"); its length without that byte follows. */
const ERROR_RESPONSE = 'E'.charCodeAt(0)

interface Forms {
  pool: pg.Pool
  client: pg.PoolClient
  vitals: Vitals
  count: (operation: string, table: string, status?: string) => number
}

async function open (t: Test): Promise<Forms> {
  const pool = new pg.Pool({ connectionString: server.url, max: 2 })
  pool.on('error', () => {})
  const app = fastify()
  await app.register(vitals, { enabled: true, endpoint: false })
  app.vitals.instrument(pool, { name: 'forms' })
  const client = await pool.connect()
  client.on('error', () => {})
  t.teardown(async () => {
    client.release(true)
    await pool.end()
    await app.close()
  })
  await client.query('create temporary table notes (id integer primary key, note text)')
  await client.query('insert into notes select n, \'note \' || n from generate_series(1, 250) n')
  const count: Forms['count'] = (operation, table, status = 'success') => app.vitals.read('db_queries_total', { system: 'postgresql', client: 'forms', operation, table, status }) as number ?? 0
  return { pool, client, vitals: app.vitals, count }
}

/** Rejects with what a callback is given. */
function called<R> (start: (callback: (error: Error | null, result: R) => void) => unknown): Promise<R> {
  return new Promise((resolve, reject) => { start((error, result) => error ? reject(error) : resolve(result)) })
}

/** Resolves when a connection is gone, whatever errors it tells of before. */
function hasEnded (client: pg.PoolClient): Promise<unknown> {
  client.on('error', () => {})
  return new Promise(resolve => client.once('end', resolve))
}

t.test('counts every form of a query once', async t => {
  const { client, count } = await open(t)
  const select = 'select note from notes where id = $1'
  const forms: Record<string, () => Promise<unknown>> = {
    text: () => client.query('select note from notes where id = 7'),
    'text and values': () => client.query(select, [7]),
    'configuration object': () => client.query({ text: select, values: [7] }),
    'configuration object and values': () => client.query({ text: select }, [7]),
    'rows as arrays': () => client.query({ text: select, values: [7], rowMode: 'array' }),
    'prepared statement': () => client.query({ name: 'one-note', text: select, values: [7] }),
    'text and callback': () => called(done => client.query('select note from notes where id = 7', done)),
    'text, values and callback': () => called(done => client.query(select, [7], done)),
    'configuration object and callback': () => called(done => client.query({ text: select, values: [7] }, done)),
    'callback in the configuration object': () => called(done => client.query({ text: select, values: [7], callback: done } as pg.QueryConfig)),
    'Query object with a callback': () => called(done => client.query(new pg.Query(select, [7], done as never))),
    'Query object with events': async () => {
      const query = client.query(new pg.Query(select, [7]))
      return (await once(query, 'end'))[0]
    }
  }
  let expected = 0
  for (const [form, run] of Object.entries(forms)) {
    const { rows, command } = await run() as pg.QueryResult
    t.equal(command, 'SELECT', form)
    // Events give no rows unless somebody listens to them.
    if (!form.endsWith('events')) t.same(rows, form === 'rows as arrays' ? [['note 7']] : [{ note: 'note 7' }], form)
    t.equal(count('SELECT', 'notes'), ++expected, form)
  }
})

t.test('counts every form of a query that fails once, with the error as it was', async t => {
  const { client, count, vitals } = await open(t)
  const wrong = 'select nothing from notes'
  const forms: Record<string, () => Promise<unknown>> = {
    promise: () => client.query(wrong),
    callback: () => called(done => client.query(wrong, done)),
    'Query object with a callback': () => called(done => client.query(new pg.Query(wrong, [], done as never))),
    'Query object with events': () => once(client.query(new pg.Query(wrong)), 'end'),
    cursor: () => client.query(new Cursor(wrong)).read(1),
    stream: () => client.query(new QueryStream(wrong)).toArray()
  }
  let expected = 0
  for (const [form, run] of Object.entries(forms)) {
    await t.rejects(run(), { code: '42703', severity: 'ERROR' }, form)
    await client.query('select 1')
    t.equal(count('SELECT', 'notes', 'error'), ++expected, form)
  }
  t.equal(vitals.read('db_query_errors_total', { system: 'postgresql', client: 'forms', operation: 'SELECT', error_type: '42703' }), expected)
})

t.test('an object of the application is left as pg leaves it, and can be used again', async t => {
  const { client, count } = await open(t)
  const bare = new pg.Client(server.url)
  await bare.connect()
  t.teardown(() => bare.end())
  const ours = { text: 'select 1 as one from notes' }
  const theirs = { text: 'select 1 as one' }
  const callback = (): void => {}
  await called(done => client.query(ours, (error, result) => { callback(); done(error, result) }))
  await called(done => bare.query(theirs, (error, result) => { callback(); done(error, result) }))
  t.same(Object.keys(ours), Object.keys(theirs))
  t.equal(String((ours as { callback?: unknown }).callback), String((theirs as { callback?: unknown }).callback))
  t.equal(count('SELECT', 'notes'), 1)
  const times: number[] = []
  const config = { text: 'select 1 as one from notes', callback: (): void => { times.push(count('SELECT', 'notes')) } }
  const { callback: given } = config
  client.query(config)
  client.query(config)
  await client.query('select 1')
  t.same(times, [2, 3])
  t.equal(config.callback, given)
})

t.test('an older pg, which writes into the object of the application, finds its own function there', async t => {
  const client = new olderPg.Client(server.url)
  const app = fastify()
  await app.register(vitals, { enabled: true, endpoint: false })
  app.vitals.instrument(client, { name: 'older' })
  t.teardown(async () => {
    await client.end()
    await app.close()
  })
  await client.connect()
  const config: { text: string, callback?: unknown } = { text: 'select 1 as one from pg_class' }
  for (const expected of [1, 2]) {
    const isOwn = await new Promise(resolve => {
      const own = (): void => resolve(config.callback === own)
      client.query(config, own)
    })
    t.equal(isOwn, true)
    t.equal(app.vitals.read('db_queries_total', { system: 'postgresql', client: 'older', operation: 'SELECT', table: 'pg_class', status: 'success' }), expected)
  }
})

t.test('callbacks get just the arguments that pg gives them', async t => {
  const { client } = await open(t)
  const bare = new pg.Pool({ connectionString: server.url, max: 1, connectionTimeoutMillis: 500 })
  const ours = new pg.Pool({ connectionString: server.url, max: 1, connectionTimeoutMillis: 500 })
  const app = fastify()
  await app.register(vitals, { enabled: true, endpoint: false })
  app.vitals.instrument(ours, { name: 'arguments' })
  t.teardown(async () => {
    await Promise.all([bare.end(), ours.end()])
    await app.close()
  })
  const numberOf = (start: (callback: (...args: unknown[]) => void) => unknown): Promise<number> => new Promise(resolve => { start((...args) => resolve(args.length)) })
  const own = new pg.Client(server.url)
  await own.connect()
  t.equal(await numberOf(done => client.query('select nothing', done as never)), await numberOf(done => own.query('select nothing', done as never)))
  t.equal(await numberOf(done => client.query('select 1', done as never)), await numberOf(done => own.query('select 1', done as never)))
  await own.end()
  const lengths = async (pool: pg.Pool): Promise<number[]> => {
    const held = await pool.connect()
    const refused = await numberOf(done => pool.connect(done as never))
    held.release()
    const given = await new Promise<number>(resolve => pool.connect((...args) => {
      args[2]()
      resolve(args.length)
    }))
    return [refused, given]
  }
  t.same(await lengths(ours), await lengths(bare))
})

t.test('no value reaches the log or a label, nor does a statement, whatever fails', async t => {
  const pool = new pg.Pool({ connectionString: server.url, max: 1, application_name: SECRET })
  pool.on('error', () => {})
  t.teardown(() => pool.end())
  const { said, vitals } = await logged(t, pool)
  await pool.query('create temporary table notes (id integer unique, note text unique)')
  const failing = async (use: () => Promise<unknown>): Promise<unknown> => { try { return await use() } catch { return undefined } }
  for (const [i, value] of HOSTILE.entries()) {
    const literal = `'${value.replaceAll('\'', '\'\'')}'`
    for (const statement of ['insert into notes (note) values ($1)', 'select * from notes where note = $1', 'select $1::integer from notes', 'update notes set id = $1', 'select nothing, $1 from notes']) {
      await failing(() => pool.query(statement, [value]))
      await failing(() => pool.query({ name: `${i} ${statement}`, text: statement, values: [value] }))
      await failing(() => pool.query(statement.replace('$1', () => literal)))
    }
    for (const statement of [value, `${value} from notes`, `select /* ${value} */ nothing from notes`, `select ${literal}`, `set application_name = ${literal}`, `do $$ begin raise exception '%', ${literal}; end $$`, `copy notes from ${literal}`, `begin; select ${literal}::integer; commit`]) {
      await failing(() => pool.query(statement))
      await failing(() => called(done => pool.query(statement, done)))
    }
    await failing(() => pool.query('select $1 from notes', [{ toPostgres () { throw new Error(value) } }]))
    await failing(async () => pool.query({ text: value, callback: value } as never))
    await failing(async () => {
      const client = await pool.connect()
      client.on('error', () => {})
      try {
        await client.query(new Cursor('select $1::integer from notes', [value])).read(1)
      } finally {
        client.release(new Error(value))
      }
    })
  }
  await server.kill()
  await failing(() => pool.query('select $1', [SECRET]))
  await server.start()
  t.ok((vitals.read('vitals_series_overflow_total', { metric: 'db_queries_total' }) as number) > 0)
  const all = await said()
  t.match(all, /instrumented as \\"logged\\" already/, 'the log is there')
  t.notMatch(all, SECRET)
})

t.test('callbacks are called on what pg calls them on', async t => {
  for (const { Pool, Client, Query } of [pg, olderPg]) {
    const open = (): [pg.Pool, pg.Client] => [new Pool({ connectionString: server.url, max: 1, connectionTimeoutMillis: 500 }), new Client(server.url)]
    const [bare, ours] = [open(), open()]
    for (const client of ours) await instrumented(t, client, 'postgresql')
    t.teardown(() => Promise.all([...bare, ...ours].map(client => client.end())))
    await Promise.all([bare[1].connect(), ours[1].connect()])
    const text = 'select 1'
    type Callback = (error: unknown, ...given: unknown[]) => void
    const forms: Record<string, (client: pg.Client, done: Callback) => unknown> = {
      text: (client, done) => client.query(text, done),
      'text and values': (client, done) => client.query('select $1::integer', [1], done),
      'configuration object': (client, done) => client.query({ text }, done),
      'prepared statement': (client, done) => client.query({ name: 'one', text }, done),
      'an empty text': (client, done) => client.query('', done),
      'several statements': (client, done) => client.query('select 1; select 2', done),
      'a statement that the server refuses': (client, done) => client.query('select nothing', done),
      'a timeout': (client, done) => client.query({ text: 'select pg_sleep(0.2)', query_timeout: 20 } as pg.QueryConfig, done)
    }
    // A pool has no use for them.
    const ofClients: typeof forms = {
      'callback in the configuration object': (client, done) => client.query({ text, callback: done } as pg.QueryConfig),
      'a Query object': (client, done) => client.query(new Query(text, [], done as never))
    }
    for (const [form, start] of Object.entries({ ...forms, ...ofClients })) {
      for (const [at, title] of ['pool', 'client'].entries()) {
        if (title === 'pool' && form in ofClients) continue
        const expected = await receiverOf(done => start(bare[at] as pg.Client, done))
        t.equal(await receiverOf(done => start(ours[at] as pg.Client, done)), expected, `${title}, ${form}: ${expected}`)
      }
    }
    const query: object = new Query(text, [], function (this: unknown) { t.equal(this, query) } as never)
    await once(ours[1].query(query as pg.Query), 'end')
    const ofPools: Record<string, (pool: pg.Pool, done: Callback) => unknown> = {
      connect: (pool, done) => pool.connect(done),
      query: (pool, done) => pool.query(text, done),
      // An older client that refuses some is stuck.
      'values that pg refuses': (pool, done) => pool.query('select $1', [{ toPostgres () { throw new Error('not today') } }], done)
    }
    for (const state of ['with', 'without']) {
      const held = state === 'with' ? [] : await Promise.all([bare[0].connect(), ours[0].connect()])
      for (const [form, start] of Object.entries(ofPools)) {
        const [expected, receiver] = await Promise.all([bare[0], ours[0]].map(pool => receiverOf(done => start(pool, done))))
        t.equal(receiver, expected, `pool, ${form} ${state} a connection: ${expected}`)
      }
      for (const client of held) client.release()
    }
  }
})

/** The class of what a callback is called on. */
function receiverOf (start: (callback: (error: unknown, ...given: unknown[]) => void) => unknown): Promise<string> {
  return new Promise(resolve => {
    start(function (this: unknown, _error, _result, release) {
      resolve(this === undefined ? 'undefined' : (Object.getPrototypeOf(this) as object).constructor.name)
      if (typeof release === 'function') release()
    })
  })
}

t.test('counts a cursor once, when it is read to its end or closed', async t => {
  const { client, count } = await open(t)
  const cursor = client.query(new Cursor<{ id: number }>('select id from notes order by id'))
  t.same((await cursor.read(2)).map(({ id }) => id), [1, 2])
  t.equal(count('SELECT', 'notes'), 0, 'it is still open')
  t.equal((await cursor.read(1_000)).length, 248)
  t.equal((await cursor.read(1)).length, 0)
  await client.query('select 1')
  t.equal(count('SELECT', 'notes'), 1)
  const closed = client.query(new Cursor('select id from notes'))
  await closed.read(1)
  await closed.close()
  await client.query('select 1')
  t.equal(count('SELECT', 'notes'), 2)
})

t.test('counts a stream once, when it ends or is destroyed', async t => {
  const { client, count } = await open(t)
  const ids: number[] = []
  for await (const { id } of client.query(new QueryStream('select id from notes order by id', [], { batchSize: 7 }))) ids.push(id)
  t.equal(ids.length, 250)
  await client.query('select 1')
  t.equal(count('SELECT', 'notes'), 1)
  const stream = client.query(new QueryStream('select id from notes'))
  await once(stream, 'readable')
  stream.destroy()
  await once(stream, 'close')
  await client.query('select 1')
  t.equal(count('SELECT', 'notes'), 2)
})

t.test('counts what pg refuses by itself', async t => {
  const { pool, client, count, vitals } = await open(t)
  t.throws(() => client.query(null as never), { message: /null or undefined query/ })
  t.throws(() => client.query({ text: 'select 1 from notes', callback: 7 } as never), { message: 'callback is not a function' })
  t.throws(() => client.query(null as never, () => {}), { message: /null or undefined query/ })
  t.equal(count('other', 'other', 'error'), 2)
  t.equal(count('SELECT', 'notes', 'error'), 1)
  await t.rejects(called(done => pool.query(done as never)), { message: /function as the first parameter/ })
  t.equal(vitals.read('db_query_errors_total', { system: 'postgresql', client: 'forms', operation: 'other', error_type: 'TypeError' }), 2)
})

t.test('leaves alone what has none of the methods that tell its end', async t => {
  const { client, vitals } = await open(t)
  const refusal = new Error('not today')
  const told = new Promise(resolve => client.query({ submit: () => refusal, handleError: resolve } as never))
  t.equal(await told, refusal)
  t.equal((await client.query('select 1 as one')).rowCount, 1)
  t.equal(vitals.read('vitals_record_errors_total', { metric: 'db_queries_total' }), undefined)
})

t.test('names errors that have no code', async t => {
  const { pool, client, vitals } = await open(t)
  const errors = (type: string): unknown => vitals.read('db_query_errors_total', { system: 'postgresql', client: 'forms', operation: 'SELECT', error_type: type })
  await t.rejects(client.query({ text: 'select pg_sleep(0.5)', query_timeout: 50 } as pg.QueryConfig), { message: 'Query read timeout' })
  t.equal(errors('query_timeout'), 1)
  const other = await pool.connect()
  const ended = hasEnded(other)
  const sleeping = other.query('select pg_sleep(10)')
  ;(other as unknown as { connection: { stream: { destroy: () => void } } }).connection.stream.destroy()
  await t.rejects(sleeping, { message: 'Connection terminated unexpectedly' })
  await ended
  await t.rejects(other.query('select 1'), { message: /not queryable/ })
  other.release(true)
  t.equal(errors('connection_terminated'), 2)
})

t.test('a rejection that nobody handles stays one', async t => {
  const { client } = await open(t)
  const unhandled = once(process, 'unhandledRejection')
  const listeners = process.listeners('unhandledRejection')
  client.query('select nothing')
  const [error] = await unhandled
  t.equal((error as { code: string }).code, '42703')
  t.same(process.listeners('unhandledRejection').length, listeners.length - 1)
})

t.test('counts transactions in one text, failed commits and lost connections', async t => {
  const { pool, client, vitals } = await open(t)
  const ended = (status: string): unknown => vitals.read('db_transactions_total', { system: 'postgresql', client: 'forms', status }) ?? 0
  await client.query('create table if not exists parents (id integer primary key); create table if not exists children (parent integer references parents deferrable initially deferred)')
  await client.query('begin; insert into parents (id) values (1) on conflict do nothing; commit')
  t.equal(ended('committed'), 1)
  await client.query('begin')
  await client.query('insert into children values (404)')
  await t.rejects(client.query('commit'), { code: '23503' })
  t.equal(ended('rolled_back'), 1)
  await client.query('begin')
  await t.rejects(client.query('select nothing'))
  t.equal((await client.query('commit')).command, 'ROLLBACK')
  t.equal(ended('rolled_back'), 2, 'the server answers a COMMIT with a rollback')
  const other = await pool.connect()
  await other.query('begin')
  const end = hasEnded(other)
  await client.query('select pg_terminate_backend($1)', [(other as unknown as { processID: number }).processID])
  await end
  other.release(true)
  t.equal(ended('rolled_back'), 3)
  t.equal(ended('committed'), 1)
  await client.query('begin; select 1; commit; begin; select 1; rollback; begin')
  t.same([ended('committed'), ended('rolled_back')], [2, 4], 'each of a text that has several')
  await client.query('commit; commit')
  t.same([ended('committed'), ended('rolled_back')], [3, 4])
  await client.query('select 1; commit; select 2; rollback; select 3')
  t.same([ended('committed'), ended('rolled_back')], [4, 5], 'those that begin by themselves')
  await client.query('begin')
  await t.rejects(client.query('select nothing'))
  await client.query('commit; begin; select 1; commit')
  t.same([ended('committed'), ended('rolled_back')], [5, 6], 'the first COMMIT is answered with a rollback')
  await client.query('begin')
  await client.query('commit and chain')
  await client.query('insert into children values (404)')
  await t.rejects(client.query('commit and chain'), { code: '23503' })
  await client.query('commit')
  t.same([ended('committed'), ended('rolled_back')], [6, 7], 'a chain that breaks')
  await client.query('begin')
  await t.rejects(client.query('insert into parents (id) values (1); commit'), { code: '23505' })
  await client.query('rollback')
  t.same([ended('committed'), ended('rolled_back')], [6, 8], 'a text that fails before its COMMIT leaves the transaction open')
  await client.query('begin')
  await client.query('insert into children values (404)')
  await t.rejects(client.query('insert into parents (id) values (2); commit'), { code: '23503' })
  await client.query('select 1')
  t.same([ended('committed'), ended('rolled_back')], [6, 9], 'one that fails at its COMMIT does not')
  await client.query('begin')
  await t.rejects(client.query('insert into parents (id) values (1); commit'), { code: '23505' })
  await Promise.all([client.query('rollback'), client.query('select 1')])
  t.same([ended('committed'), ended('rolled_back')], [6, 10])
})

t.test('counts a COMMIT that fails once, also where the next statement comes before the server is through with it', async t => {
  const rest = gate()
  const proxy = net.createServer(socket => {
    const connection = net.connect(server.port, '127.0.0.1')
    socket.on('error', () => {}).pipe(connection.on('error', () => {}))
    let through = Promise.resolve()
    const pass = (bytes: Buffer): void => { through.then(() => socket.write(bytes), () => {}) }
    connection.on('data', (bytes: Buffer) => {
      const end = bytes[0] === ERROR_RESPONSE ? bytes.readInt32BE(1) + 1 : 0
      if (end > 0) {
        pass(bytes.subarray(0, end))
        through = rest.promise
      }
      pass(bytes.subarray(end))
    }).on('close', () => socket.destroy())
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  const client = new pg.Client({ host: '127.0.0.1', port: (proxy.address() as AddressInfo).port, user: 'postgres', database: 'postgres' })
  await client.connect()
  t.teardown(async () => {
    await client.end()
    proxy.close()
  })
  const { transactions } = await instrumented(t, client, 'postgresql')
  await client.query('create temporary table parents (id integer primary key); create temporary table children (parent integer references parents deferrable initially deferred)')
  await client.query('begin')
  await client.query('insert into children values (404)')
  await t.rejects(client.query('commit'), { code: '23503' })
  const rolledBack = client.query('rollback')
  rest.open()
  await rolledBack
  t.same([transactions('committed'), transactions('rolled_back')], [0, 1])
})

t.test('sees the connections that a pool had before it was instrumented, and none twice', async t => {
  const pool = new pg.Pool({ connectionString: server.url, max: 3 })
  const [busy, idle] = await Promise.all([pool.connect(), pool.connect()])
  idle.release()
  const app = fastify()
  await app.register(vitals, { enabled: true, endpoint: false })
  t.teardown(async () => {
    busy.release()
    await pool.end()
    await app.close()
  })
  const counted = (): unknown => app.vitals.read('db_queries_total', { system: 'postgresql', client: 'pool', operation: 'SELECT', table: 'pg_class', status: 'success' })
  app.vitals.instrument(pool, { name: 'pool' })
  t.equal(app.vitals.instrument(busy, { name: 'part' }), busy)
  await busy.query('select 1 from pg_class')
  await pool.query('select 1 from pg_class')
  t.equal(counted(), 2)
  t.equal(app.vitals.uninstrument(busy), false)
  app.vitals.uninstrument(pool)
  t.notOk(Object.hasOwn(busy, 'query'))
  app.vitals.instrument(busy, { name: 'part' })
  app.vitals.instrument(pool, { name: 'pool' })
  await busy.query('select 1 from pg_class')
  t.equal(counted(), 2, 'it was instrumented by itself first')
  app.vitals.uninstrument(pool)
  t.ok(Object.hasOwn(busy, 'query'), 'and stays so')
})

t.test('counts what is done on a new connection by those who heard of it before', async t => {
  const onConnect = async (client: pg.ClientBase): Promise<void> => { await client.query('set lock_timeout = 1000') }
  const pool = new pg.Pool({ connectionString: server.url, max: 1, onConnect })
  t.teardown(() => pool.end())
  pool.on('connect', client => { client.query('reset lock_timeout', () => {}) })
  const { vitals, count } = await instrumented(t, pool, 'postgresql')
  await pool.query('select 1')
  t.same(['SET', 'RESET', 'SELECT'].map(operation => count(operation)), [1, 1, 1])
  vitals.uninstrument(pool)
  t.equal(pool.options.onConnect, onConnect)
})

t.test('hands on what a pool takes for a connection and is none', async t => {
  const nothing: unknown = undefined
  const pool = new pg.Pool({ connectionString: server.url, onConnect: () => Promise.reject(nothing) })
  t.teardown(() => pool.end())
  await instrumented(t, pool, 'postgresql')
  t.equal(await pool.connect(), undefined)
})

t.test('leaves no listener behind where it is left in the middle of a BEGIN', async t => {
  const { pool, client, vitals } = await open(t)
  const before = client.listenerCount('end')
  const begun = client.query('begin')
  vitals.uninstrument(pool)
  await begun
  t.equal(client.listenerCount('end'), before)
})

t.test('a pool whose connection string is wrong fails as it would', async t => {
  const app = fastify()
  await app.register(vitals, { enabled: true, endpoint: false })
  t.teardown(() => app.close())
  for (const connectionString of ['postgresql://127.0.0.1:1/%E0%A4%A', 'postgresql://127.0.0.1:1']) {
    const [bare, pool] = [new pg.Pool({ connectionString }), new pg.Pool({ connectionString })]
    app.vitals.instrument(pool, { name: 'wrong' })
    // pg throws some of these at once.
    const failure = async (use: () => Promise<unknown>): Promise<Error> => {
      try {
        return await use() as Error
      } catch (error) {
        return error as Error
      }
    }
    const expected = await failure(() => bare.connect())
    for (const error of [await failure(() => pool.connect()), await failure(() => pool.query('select 1 from notes'))]) {
      t.equal(error.message, expected.message)
      t.equal(error.constructor, expected.constructor)
    }
  }
  t.equal(app.vitals.read('db_queries_total', { system: 'postgresql', client: 'wrong', operation: 'SELECT', table: 'notes', status: 'error' }), 2)
})

t.test('a Query object that fails in the middle of its rows is counted as failed', async t => {
  const { client, count } = await open(t)
  const query = new pg.Query({ text: 'select note from notes', types: { getTypeParser: () => () => { throw new Error('not a type') } } })
  await t.rejects(once(client.query(query), 'end'), { message: 'not a type' })
  await client.query('select 1')
  t.equal(count('SELECT', 'notes', 'error'), 1)
  t.equal(count('SELECT', 'notes'), 0)
})

t.test('an error whose message is the name of something else is told by its class', async t => {
  const { client, vitals } = await open(t)
  const types = { getTypeParser: () => () => { throw new RangeError('constructor') } }
  await t.rejects(client.query({ text: 'select note from notes', types }), { message: 'constructor' })
  t.equal(vitals.read('db_query_errors_total', { system: 'postgresql', client: 'forms', operation: 'SELECT', error_type: 'RangeError' }), 1)
})
