import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import mysql from 'mysql2'
import type { Connection, Pool, PoolConnection } from 'mysql2'
import mysqlPromise from 'mysql2/promise'
import t from 'tap'
import type { Test } from 'tap'
import type { HistogramValue } from '../../../lib/index.ts'
import { freePort } from '../../support/free-port.ts'
import { instrumented } from '../support/instrumented.ts'
import type { Readers } from '../support/instrumented.ts'
import { startMariadb } from './support/mariadb-server.ts'

const server = await startMariadb(t)
const address = { host: '127.0.0.1', port: server.port, user: 'root', database: 'mysql' }

const setUp = mysql.createConnection(address)
for (const table of ['waiting', 'early', 'one', 'hidden']) await setUp.promise().query(`create table ${table} (id int)`)
setUp.destroy()

/** It is in the documentation, not in the types. */
const { createQuery } = mysql as unknown as { createQuery (sql: string, values: unknown, callback: unknown, options: object): string }

interface Forms extends Readers {
  pool: Pool
  connection: PoolConnection
}

async function open (t: Test, options: mysql.PoolOptions = {}): Promise<Forms> {
  const pool = mysql.createPool({ ...address, connectionLimit: 2, ...options })
  const readers = await instrumented(t, pool, 'mysql')
  const connection = await called<PoolConnection>(done => pool.getConnection(done))
  connection.on('error', () => {})
  t.teardown(async () => {
    connection.destroy()
    await called(done => pool.end(error => done(error, undefined)))
  })
  await connection.promise().query('create temporary table notes (id integer primary key, note varchar(50))')
  await connection.promise().query('insert into notes values (1, \'one\'), (2, \'two\'), (3, \'three\')')
  return { pool, connection, ...readers }
}

/** Rejects with what a callback is given. */
function called<R> (start: (callback: (error: Error | null | undefined, result: R) => void) => unknown): Promise<R> {
  return new Promise((resolve, reject) => { start((error, result) => error ? reject(error) : resolve(result)) })
}

t.test('counts every form of a statement once, with the answer of a bare connection', async t => {
  const { connection, count } = await open(t, { namedPlaceholders: true })
  const bare = mysql.createConnection(address)
  t.teardown(() => bare.destroy())
  await bare.promise().query('create temporary table notes (id integer primary key, note varchar(50))')
  await bare.promise().query('insert into notes values (1, \'one\'), (2, \'two\'), (3, \'three\')')
  const select = 'select note from notes where id = ?'
  const prepared = (connection: Connection): Promise<mysql.PrepareStatementInfo> => called(done => connection.prepare(select, done))
  const forms: Record<string, (connection: Connection) => Promise<unknown>> = {
    text: connection => called(done => connection.query('select note from notes where id = 2', done)),
    'text and values': connection => called(done => connection.query(select, [2], done)),
    options: connection => called(done => connection.query({ sql: select, values: [2] }, done)),
    'options and values': connection => called(done => connection.query({ sql: select }, [2], done)),
    'rows as arrays': connection => called(done => connection.query({ sql: select, rowsAsArray: true }, [2], done)),
    'a query object': connection => called(done => connection.query(createQuery('select note from notes where id = 2', undefined, done, {}))),
    'prepared at once': connection => called(done => connection.execute(select, [2], done)),
    'prepared at once, without values': connection => called(done => connection.execute('select note from notes where id = 2', done)),
    'prepared at once, with options': connection => called(done => connection.execute({ sql: select }, [2], done)),
    'prepared before': async connection => {
      const statement = await prepared(connection)
      return await called(done => statement.execute([2], done))
    },
    'a promise': async connection => (await connection.promise().query(select, [2]))[0],
    'a promise, prepared': async connection => (await connection.promise().execute(select, [2]))[0],
    events: async connection => await rowsOf(connection.query(select, [2])),
    'events, prepared at once': async connection => await rowsOf(connection.execute(select, [2])),
    'events, prepared before': async connection => await rowsOf((await prepared(connection)).execute([2]) as unknown as mysql.Query),
    'a stream': async connection => await connection.query(select, [2]).stream().toArray()
  }
  let counted = 0
  for (const [name, run] of Object.entries(forms)) {
    const answer = await run(connection)
    t.same(answer, await run(bare), name)
    t.ok(Array.isArray(answer) && answer.length === 1, name)
    t.equal(count('SELECT', 'notes'), ++counted, name)
  }
  const named = await called(done => connection.query('select note from notes where id = :id', { id: 3 }, done))
  t.same(named, [{ note: 'three' }], 'named placeholders')
  t.equal(count('SELECT', 'notes'), ++counted)
})

async function rowsOf (command: mysql.Query): Promise<unknown[]> {
  const rows: unknown[] = []
  command.on('result', row => rows.push(row))
  await once(command, 'end')
  return rows
}

t.test('counts every form of an error once, and passes it on', async t => {
  const { connection, errors, count } = await open(t)
  const wrong = 'insert into notes (id) values (1)'
  const code = 'ER_DUP_ENTRY'
  const forms: Record<string, () => Promise<unknown>> = {
    callback: () => called(done => connection.query(wrong, done)),
    'prepared at once': () => called(done => connection.execute(wrong, done)),
    promise: () => connection.promise().query(wrong),
    events: () => once(connection.query(wrong), 'end'),
    'events, prepared at once': () => once(connection.execute(wrong), 'end'),
    stream: () => connection.query(wrong).stream().toArray()
  }
  let counted = 0
  for (const [name, run] of Object.entries(forms)) {
    await t.rejects(run(), { code }, name)
    t.equal(errors('INSERT', code), ++counted, name)
  }
  await t.rejects(called(done => connection.execute('select nothing from notes', done)), { code: 'ER_BAD_FIELD_ERROR' }, 'of a statement that cannot be prepared')
  await t.rejects(once(connection.execute('select nothing from notes'), 'end'), { code: 'ER_BAD_FIELD_ERROR' })
  t.equal(errors('SELECT', 'ER_BAD_FIELD_ERROR'), 2)
  t.throws(() => connection.execute('select ? from notes', [undefined as unknown as null]), TypeError)
  t.equal(errors('SELECT', 'TypeError'), 1)
  t.throws(() => { connection.query(null as unknown as string) }, TypeError)
  t.equal(count('other', 'other', 'error'), 1)
})

t.test('calls callbacks with their own this, and throws what they throw', async t => {
  const { connection } = await open(t)
  await new Promise<void>(resolve => {
    const command = connection.query('select 1', function (this: unknown) {
      t.equal(this, command)
      resolve()
    })
  })
})

t.test('counts transactions of the methods, and those that a lost connection leaves', async t => {
  const { pool, connection, transactions } = await open(t)
  const promised = connection.promise()
  await promised.beginTransaction()
  await promised.commit()
  await called(done => connection.beginTransaction(error => done(error, undefined)))
  await called(done => connection.rollback(() => done(null, undefined)))
  t.equal(transactions('committed'), 1)
  t.equal(transactions('rolled_back'), 1)
  await promised.beginTransaction()
  const ended = new Promise(resolve => connection.once('end', resolve))
  await pool.promise().query(`kill ${connection.threadId}`)
  await ended
  t.equal(transactions('rolled_back'), 2)
})

t.test('counts each transaction of a chain', async t => {
  const { connection, transactions } = await open(t)
  for (const sql of ['begin', 'commit and chain', 'rollback and chain', 'commit and no chain', 'commit']) await connection.promise().query(sql)
  t.same([transactions('committed'), transactions('rolled_back')], [2, 1])
})

t.test('counts the transactions that the server begins and ends by itself', async t => {
  const { connection, transactions } = await open(t, { multipleStatements: true })
  const ended = (): number[] => [transactions('committed'), transactions('rolled_back')]
  const run = async (...texts: string[]): Promise<number[]> => {
    for (const sql of texts) await connection.promise().query(sql)
    return ended()
  }
  await run('create table if not exists kept (id int primary key, serverStatus int default 3) engine = innodb', 'delete from kept')

  t.same(await run('begin', 'insert into kept values (1, 3)', 'begin'), [1, 0], 'a second BEGIN')
  t.same(await run('insert into kept values (2, 3)', 'create table if not exists defined (id int)'), [2, 0], 'a definition')
  t.same(await run('commit', 'rollback'), [2, 0], 'and nothing behind it')
  t.same(await run('insert into kept values (3, 3); commit'), [2, 0], 'nor where nothing had begun')
  t.same(await run('begin; insert into kept values (4, 3); commit'), [3, 0])
  t.same(await run('begin', 'insert into kept values (14, 3); commit'), [4, 0])

  await run('set autocommit = 0')
  t.same(await run('commit'), [4, 0], 'nothing was done')
  t.same(await run('insert into kept values (5, 3)', 'commit'), [5, 0])
  t.same(await run('select * from kept', 'rollback'), [5, 1])
  t.same(await run('select 1', 'commit'), [5, 1])
  await called(done => connection.execute('update kept set serverStatus = 3 where id = ?', [1], done))
  t.same(await run('commit'), [6, 1])
  await new Promise(resolve => connection.query('delete from kept where id = 5').on('end', () => resolve(undefined)))
  t.same(await run('rollback'), [6, 2])
  await new Promise(resolve => connection.query('select serverStatus from kept').on('end', () => resolve(undefined)))
  t.same(await run('commit'), [7, 2])
  t.same(await run('select * from information_schema.engines', 'set @a = 1', 'commit'), [7, 2], 'no transaction at all')
  t.same(await run('insert into kept values (6, 3)', 'set autocommit = 1'), [8, 2])
  t.same(await run('begin', 'select 0 as serverStatus, null as constructor', 'select 0 as serverStatus, \'ResultSetHeader\' as constructor'), [8, 2])
  t.same(await run('rollback'), [8, 3])
  t.same(await run('commit'), [8, 3])

  await run('create or replace procedure work() begin insert into kept values (7, 3); commit; end')
  t.same(await run('begin', 'call work()', 'commit'), [8, 3], 'how a procedure ends one is not told')
  t.same(await run('xa start \'a\'', 'insert into kept values (8, 3)', 'xa end \'a\'', 'xa commit \'a\' one phase'), [8, 3])

  const other = mysql.createConnection(address)
  t.teardown(() => other.destroy())
  await run('begin', 'insert into kept values (20, 3), (21, 3), (22, 3), (23, 3)', 'commit', 'begin', 'update kept set serverStatus = 4 where id = 20')
  await other.promise().query('begin')
  await other.promise().query('update kept set serverStatus = 5 where id in (21, 22, 23)')
  const waiting = other.promise().query('update kept set serverStatus = 5 where id = 20')
  const [mine, theirs] = await Promise.allSettled([connection.promise().query('update kept set serverStatus = 4 where id = 21'), waiting])
  const isVictim = mine.status === 'rejected'
  t.not(isVictim, theirs.status === 'rejected', 'a deadlock has one victim')
  await other.promise().query('rollback')
  t.same(ended(), [9, isVictim ? 4 : 3])
  t.same(await run('commit'), isVictim ? [9, 4] : [10, 3])
  await run('drop table kept, defined', 'drop procedure work')
})

t.test('counts a transaction that is rolled back because a record has changed', async t => {
  const { connection, transactions } = await open(t)
  const other = mysql.createConnection(address)
  t.teardown(() => other.destroy())
  const run = async (...texts: string[]): Promise<number[]> => {
    for (const sql of texts) await connection.promise().query(sql)
    return [transactions('committed'), transactions('rolled_back')]
  }
  await run('create table changed (id int primary key) engine = innodb', 'insert into changed values (1)', 'set innodb_snapshot_isolation = 1', 'begin', 'select * from changed')
  await other.promise().query('update changed set id = 2')
  await t.rejects(run('update changed set id = 3'), { code: 'ER_CHECKREAD' })
  t.same(await run('begin', 'rollback', 'drop table changed'), [0, 2])
})

t.test('counts by the statements alone where the server does not tell of transactions', async t => {
  const reticent = mysql.createServer(connection => {
    connection.on('error', () => {})
    connection.on('query', () => { connection.writeOk() })
    connection.serverHandshake({ protocolVersion: 10, serverVersion: '5.7', connectionId: 1, statusFlags: 2, characterSet: 8, capabilityFlags: 0xffffff ^ 0x800 })
  }) as unknown as { readonly _server: Server, listen (port: number): void }
  reticent.listen(0)
  await once(reticent._server, 'listening')
  const connection = mysql.createConnection({ host: '127.0.0.1', port: (reticent._server.address() as AddressInfo).port })
  t.teardown(() => {
    connection.destroy()
    reticent._server.close()
  })
  const { transactions } = await instrumented(t, connection, 'mysql')
  for (const sql of ['begin', 'insert into notes values (4)', 'rollback', 'start transaction', 'insert into notes values (5)', 'commit']) await connection.promise().query(sql)
  t.same([transactions('committed'), transactions('rolled_back')], [1, 1])
})

t.test('does not tell how a statement that holds others ends a transaction', async t => {
  const { connection, transactions } = await open(t)
  for (const sql of ['prepare back from \'rollback\'', 'begin', 'execute back', 'begin', 'begin not atomic rollback; end', 'begin', 'execute immediate \'rollback\'', 'commit']) await connection.promise().query(sql)
  t.same([transactions('committed'), transactions('rolled_back')], [0, 0])
})

t.test('counts the transactions that a reset and another user end', async t => {
  const pool = mysql.createPool({ ...address, connectionLimit: 1, resetOnRelease: true } as mysql.PoolOptions)
  t.teardown(() => { pool.end() })
  const { transactions, errors } = await instrumented(t, pool, 'mysql')
  const connection = await pool.promise().getConnection() as mysqlPromise.PoolConnection & { reset (): Promise<void> }
  await connection.beginTransaction()
  await connection.reset()
  t.equal(transactions('rolled_back'), 1)
  await connection.beginTransaction()
  const committing = connection.commit()
  await connection.changeUser({ user: 'root' })
  await committing
  t.equal(transactions('committed'), 1, 'a commit that is sent before')
  t.equal(transactions('rolled_back'), 1)
  await connection.beginTransaction()
  connection.release()
  const next = await pool.promise().getConnection()
  t.equal(transactions('rolled_back'), 2, 'a transaction that is forgotten')
  next.destroy()
  await t.rejects(connection.reset(), /closed state/)
  t.equal(transactions('rolled_back'), 2)
  t.equal(errors('other', 'connection_closed'), 0)
})

t.test('counts the statements of a connection that breaks, in each form', async t => {
  const { connection, errors } = await open(t)
  const sleeping = t.rejects(called(done => connection.query('select sleep(60)', done)))
  const queued = connection.query('select 1 from queued')
  await server.kill()
  await sleeping
  await server.start()
  const [lost, reset] = ['PROTOCOL_CONNECTION_LOST', 'ECONNRESET'].map(type => errors('SELECT', type))
  t.equal(lost! + reset!, 2)
  t.ok(queued)
  connection.destroy()
  await t.rejects(called(done => connection.query('select 1', done)), /closed state/)
  const failed = once(connection, 'error')
  connection.query('select 1')
  await failed
  t.equal(errors('SELECT', 'connection_closed'), 2)
})

t.test('counts the waits of a pool that gives up', async t => {
  const impatient = await open(t, { connectionLimit: 1, waitForConnections: false })
  await t.rejects(impatient.pool.promise().query('select 1 from waiting'), /No connections available/)
  t.equal(impatient.errors('SELECT', 'connection_timeout'), 1)
  t.equal(impatient.read('db_connection_timeouts_total'), 1)

  const short = await open(t, { connectionLimit: 1, queueLimit: 1 })
  const waiting = short.pool.promise().query('select 1 from waiting')
  await t.rejects(called(done => short.pool.execute('select 1 from waiting', done)), /Queue limit/)
  await short.vitals.render()
  t.equal(short.read('db_connection_pool_pending'), 1)
  t.equal(short.read('db_connection_pool_active'), 1)
  short.connection.release()
  await waiting
  t.equal(short.count('SELECT', 'waiting'), 1)
  t.equal(short.count('SELECT', 'waiting', 'error'), 1)
  t.equal(short.read('db_connection_timeouts_total'), 1)
  t.equal((short.read('db_connection_wait_seconds') as HistogramValue).count, 2, 'the first connection and the one that waited')

  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const slow = mysql.createPool({ ...address, port: (silent.address() as AddressInfo).port, connectTimeout: 50 })
  const { errors, read } = await instrumented(t, slow, 'mysql')
  await t.rejects(slow.promise().query('select 1 from waiting'), { code: 'ETIMEDOUT' })
  t.equal(errors('SELECT', 'ETIMEDOUT'), 1)
  t.equal(read('db_connection_timeouts_total'), 1)
  await slow.promise().end()
  await t.rejects(slow.promise().query('select 1 from waiting'), /Pool is closed/)
  t.equal(errors('SELECT', 'pool_closed'), 1)
})

t.test('counts a statement that the library gives up, in each form, and not its late answer', async t => {
  const { pool, count, errors } = await open(t, { connectionLimit: 2 })
  const sleeping = { sql: 'select sleep(0.3)', timeout: 20 }
  await t.rejects(pool.promise().query(sleeping), { code: 'PROTOCOL_SEQUENCE_TIMEOUT' })
  await t.rejects(called(done => pool.execute(sleeping, done)), { code: 'PROTOCOL_SEQUENCE_TIMEOUT' })
  t.equal(errors('SELECT', 'PROTOCOL_SEQUENCE_TIMEOUT'), 2)
  await pool.promise().query('select 1 from early')
  t.same([count('SELECT'), count('SELECT', 'other', 'error'), count('SELECT', 'early')], [0, 2, 1])
})

t.test('leaves it to the library that a connection is asked for without a callback', async t => {
  const { pool } = await open(t, { connectionLimit: 1 })
  t.equal(pool.getConnection(undefined as never), undefined)
  // Served, it would throw.
  const { _connectionQueue: queue } = pool as unknown as { _connectionQueue: { readonly length: number, pop (): unknown } }
  t.equal(queue.length, 1)
  t.equal(queue.pop(), undefined)
})

t.test('counts a statement of the pool that finds no server, in each form', async t => {
  const pool = mysql.createPool({ ...address, port: await freePort() })
  t.teardown(() => { pool.end() })
  const { errors, count } = await instrumented(t, pool, 'mysql')
  await t.rejects(once(pool.query('select 1 from events'), 'end'), { code: 'ECONNREFUSED' })
  await t.rejects(pool.query('select 1 from streams').stream().toArray(), { code: 'ECONNREFUSED' })
  await t.rejects(pool.promise().query({ sql: 'select 1 from options' }), { code: 'ECONNREFUSED' })
  await t.rejects(pool.promise().getConnection(), { code: 'ECONNREFUSED' })
  t.equal(errors('SELECT', 'ECONNREFUSED'), 3)
  t.equal(count('SELECT', 'streams', 'error'), 1)
  t.throws(() => { pool.query(null as unknown as string) }, TypeError)
})

t.test('what a callback asks for at once is not the statement that it is of', async t => {
  const { pool, connection, errors, read } = await open(t, { connectionLimit: 1, queueLimit: 1 })
  const waiting = called(done => pool.query('select 1 from waiting', done))
  const nested = new Promise<Error | null>(resolve => pool.query('select 1 from waiting', () => pool.getConnection(error => resolve(error))))
  t.match(await nested, { message: 'Queue limit reached.' })
  t.equal(errors('SELECT', 'connection_timeout'), 1)
  t.equal(read('db_connection_timeouts_total'), 2)
  connection.release()
  await waiting
})

t.test('counts a wait once for each application, also when the connection that it waited for is lost', async t => {
  const { pool, connection, ...first } = await open(t, { connectionLimit: 1 })
  const second = await instrumented(t, pool, 'mysql')
  const waiting = pool.promise().query('select 1 from waiting')
  connection.destroy()
  await waiting
  t.same([first, second].map(({ count }) => count('SELECT', 'waiting')), [1, 1])
  t.same([first, second].map(({ read }) => (read('db_connection_wait_seconds') as HistogramValue).count), [2, 1], 'the first saw how the connection was taken, too')
})

t.test('sees the connections that a pool has when it is instrumented, and leaves them as they were', async t => {
  const pool = mysql.createPool({ ...address, connectionLimit: 2 })
  t.teardown(() => { pool.end() })
  const connection = await pool.promise().getConnection()
  const { vitals, count } = await instrumented(t, pool.promise(), 'mysql')
  t.equal(vitals.instrument(pool, { name: 'forms' }), pool, 'the pool itself is observed with its wrapper')
  t.equal(vitals.instrument(connection.connection, { name: 'forms' }), connection.connection)
  const another = pool.promise()
  t.equal(vitals.instrument(another, { name: 'forms' }), another)
  await connection.query('select 1 from early')
  await another.query('select 1 from early')
  t.equal(count('SELECT', 'early'), 2)
  vitals.uninstrument(another)
  await pool.promise().query('select 1 from early')
  t.equal(count('SELECT', 'early'), 3)
  connection.release()
})

t.test('counts what is done on a new connection by those who heard of it before', async t => {
  const pool = mysql.createPool({ ...address, connectionLimit: 1 })
  t.teardown(() => { pool.end() })
  pool.on('connection', connection => { connection.query('set session wait_timeout = 100', () => {}) })
  const { count } = await instrumented(t, pool, 'mysql')
  await pool.promise().query('select 1')
  t.same(['SET', 'SELECT'].map(operation => count(operation)), [1, 1])
})

t.test('counts a prepared statement that a closed connection refuses, in each form', async t => {
  const { connection, count, errors } = await open(t)
  const statement = await called<mysql.PrepareStatementInfo>(done => connection.prepare('select note from notes', done))
  await called(done => statement.execute([], done))
  t.equal(count('SELECT', 'notes'), 1)
  connection.destroy()
  await t.rejects(called(done => statement.execute([], done)), /closed state/)
  t.equal(errors('SELECT', 'connection_closed'), 1)
  const failed = once(connection, 'error')
  statement.execute([])
  await failed
  await t.rejects(called(done => connection.execute('select note from notes', done)), /closed state/)
  t.equal(errors('SELECT', 'connection_closed'), 3)
  await t.rejects(connection.promise().ping(), /closed state/)
  t.equal(count('SELECT', 'notes', 'error'), 3)
})

t.test('a pool that is ended shows none of its connections', async t => {
  const pool = mysql.createPool(address).promise()
  const { vitals, read } = await instrumented(t, pool, 'mysql')
  await pool.query('select 1')
  await vitals.render()
  t.equal(read('db_connection_pool_size'), 1)
  await pool.end()
  await vitals.render()
  t.same(['size', 'active', 'idle', 'pending', 'max'].map(gauge => read(`db_connection_pool_${gauge}`)), [undefined, undefined, undefined, undefined, undefined])
})

t.test('observes one connection, with promises too, and nothing of it twice', async t => {
  const connection = await mysqlPromise.createConnection(address)
  t.teardown(() => connection.destroy())
  const { vitals, count, transactions } = await instrumented(t, connection, 'mysql')
  await connection.query('select 1 from one')
  await connection.beginTransaction()
  await connection.execute('select ? from one', [1])
  await connection.commit()
  t.equal(count('SELECT', 'one'), 2)
  t.equal(transactions('committed'), 1)
  t.equal(vitals.uninstrument(connection), true)
  await connection.query('select 1 from one')
  t.equal(count('SELECT', 'one'), 2)
})

t.test('does without the private lists of a pool', async t => {
  const pool = mysql.createPool({ ...address, connectionLimit: 0 })
  t.teardown(() => { pool.end() })
  const client = new Proxy(pool, { get: (target, name) => String(name).startsWith('_') ? undefined : Reflect.get(target, name) })
  const { vitals, count, read } = await instrumented(t, client, 'mysql')
  await pool.promise().query('select 1 from hidden')
  t.equal(count('SELECT', 'hidden'), 1)
  await vitals.render()
  for (const state of ['size', 'active', 'idle', 'pending', 'max']) t.equal(read(`db_connection_pool_${state}`), undefined)
  t.equal(vitals.uninstrument(client), true)
})

t.test('counts the first statement of a text that has several, and each of their transactions', async t => {
  const { connection, count, transactions } = await open(t, { multipleStatements: true })
  const [results] = await connection.promise().query('select 1 from notes; insert into notes values (4, \'; commit\')')
  t.equal((results as unknown[]).length, 2)
  t.equal(count('SELECT', 'notes'), 1)
  t.equal(count('INSERT', 'notes'), 1, 'the one of the set-up')
  await connection.promise().query('start transaction; select 1; commit; begin; select 1; rollback; begin; commit')
  t.same([transactions('committed'), transactions('rolled_back')], [2, 1])
  await connection.promise().query('begin')
  await t.rejects(connection.promise().query('commit; begin; insert into missing values (1)'), { code: 'ER_NO_SUCH_TABLE' })
  await connection.promise().query('commit')
  t.same([transactions('committed'), transactions('rolled_back')], [3, 1], 'of a text that fails it does not show which came to their end')
})
