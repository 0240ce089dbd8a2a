import { DataTypes, Sequelize } from 'sequelize'
import type { Options } from 'sequelize'
import t from 'tap'
import type { HistogramValue } from '../../../lib/index.ts'
import { freePort } from '../../support/free-port.ts'
import { instrumented } from '../support/instrumented.ts'
import { dbContract } from './db-contract.ts'
import type { DbSession, DbSubject, Opening } from './db-contract.ts'
import { startMariadb } from './support/mariadb-server.ts'
import { startPostgres } from './support/postgres-server.ts'

const postgres = await startPostgres(t)
const mariadb = await startMariadb(t)

/** What its types do not show. */
interface Inside {
  readonly connectionManager: {
    getConnection (options?: object): Promise<{ query (sql: string, done?: (error: Error | null) => void): unknown }>
    releaseConnection (connection: object): void
    readonly pool: Record<string, unknown>
  }
}

function open (options: Options, { max, connectTimeoutMs }: Opening): DbSession {
  const db = new Sequelize({ username: options.dialect === 'mysql' ? 'root' : 'postgres', host: '127.0.0.1', logging: false, pool: { max, acquire: connectTimeoutMs }, ...options })
  const { connectionManager } = db as unknown as Inside
  return {
    client: db,
    // Its errors have those of the driver in them.
    run: sql => db.query(sql).catch(error => { throw (error as { parent?: Error }).parent ?? error }),
    runTogether: async statements => {
      const connection = await connectionManager.getConnection()
      for (const sql of statements) await new Promise<void>((resolve, reject) => { connection.query(sql, error => error ? reject(error) : resolve()) })
      connectionManager.releaseConnection(connection)
    },
    close: () => db.close()
  }
}

const common: Pick<DbSubject, 'hasPool' | 'touched' | 'rows'> = { hasPool: true, touched: ['query', 'connectionManager', 'getQueryInterface'], rows: result => (result as unknown[])[0] }

dbContract(t, {
  ...common,
  title: 'sequelize on pg',
  system: 'postgresql',
  server: postgres,
  sleep: seconds => `select pg_sleep(${seconds})`,
  errorTypes: { duplicate: '23505', refused: 'ECONNREFUSED', broken: ['57P02', '57P01', 'connection_terminated', 'ECONNRESET'] },
  open: opening => open({ dialect: 'postgres', port: opening.port, database: 'postgres' }, opening)
})

dbContract(t, {
  ...common,
  title: 'sequelize on mysql2',
  system: 'mysql',
  server: mariadb,
  sleep: seconds => `select sleep(${seconds})`,
  errorTypes: { duplicate: 'ER_DUP_ENTRY', refused: 'ECONNREFUSED', broken: ['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'EPIPE'] },
  open: opening => open({ dialect: 'mysql', port: opening.port, database: 'mysql' }, opening)
})

t.test('counts models and transactions of sequelize', async t => {
  for (const [system, url] of [['postgresql', postgres.url], ['mysql', `mysql://root@127.0.0.1:${mariadb.port}/mysql`]] as const) {
    const sequelize = new Sequelize(url, { logging: false })
    t.teardown(() => sequelize.close())
    const { count, transactions } = await instrumented(t, sequelize, system)
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
    t.same(['INSERT', 'UPDATE', 'SELECT', 'DELETE'].map(operation => count(operation, 'tasks')), [1, 1, 2, 1], system)
    t.same([transactions('committed'), transactions('rolled_back')], [1, 1], system)
    await Task.drop()
  }
})

t.test('counts the queries that get no connection, by their text', async t => {
  const options = { dialect: 'postgres', host: '127.0.0.1', port: await freePort(), databaseVersion: '18.0.0', logging: false } as const
  const sequelize = new Sequelize(options)
  t.teardown(() => sequelize.close())
  const { errors, count, transactions } = await instrumented(t, sequelize, 'postgresql')
  await t.rejects(sequelize.query({ query: 'select 1 from tasks where id = ?', values: [1] }), { name: 'SequelizeConnectionRefusedError' })
  t.equal(count('SELECT', 'tasks', 'error'), 1)
  await t.rejects(sequelize.transaction(), { name: 'SequelizeConnectionRefusedError' })
  await t.rejects(sequelize.query(undefined as unknown as string), TypeError)
  t.equal(errors('SELECT', 'ECONNREFUSED'), 1)
  t.equal(transactions('rolled_back'), 0)
  await t.rejects((sequelize as unknown as Inside).connectionManager.getConnection(), { name: 'SequelizeConnectionRefusedError' })
  t.equal(errors('other', 'ECONNREFUSED'), 0, 'nobody asked for a statement')
  sequelize.addHook('beforePoolAcquire', () => { throw new RangeError('a hook of the application') })
  await t.rejects(sequelize.query('select 1'), RangeError)
  t.equal(errors('SELECT', 'RangeError'), 1)
})

t.test('sums the pools of replicas, and leaves all connections as they were', async t => {
  const read = { host: '127.0.0.1', port: String(postgres.port) }
  const sequelize = new Sequelize('postgres', 'postgres', '', { dialect: 'postgres', logging: false, pool: { max: 3 }, replication: { read: [read], write: read } })
  t.teardown(() => sequelize.close())
  await sequelize.query('select 1')
  const { vitals, count, read: value } = await instrumented(t, sequelize, 'postgresql')
  await sequelize.query('select 1 from pg_class limit 1', { type: 'SELECT' })
  await sequelize.query('select 1 from pg_class limit 1', { useMaster: true })
  t.equal(count('SELECT', 'pg_class'), 2)
  await vitals.render()
  t.same(['size', 'active', 'idle', 'pending', 'max'].map(gauge => value(`db_connection_pool_${gauge}`)), [2, 0, 2, 0, 6])
  t.equal((value('db_connection_wait_seconds') as HistogramValue).count, 2)
  const { connectionManager } = sequelize as unknown as Inside
  const connection = await connectionManager.getConnection()
  t.equal(vitals.instrument(connection, { name: 'forms' }), connection, 'a connection is a part of it')
  t.ok(Object.hasOwn(connection, 'query'))
  t.equal(vitals.uninstrument(sequelize), true)
  t.notOk(Object.hasOwn(connection, 'query'))
  t.notOk(Object.hasOwn(connectionManager, 'getConnection'))
  connectionManager.releaseConnection(connection)
  await sequelize.query('select 1 from pg_class limit 1')
  t.equal(count('SELECT', 'pg_class'), 2)
})

t.test('takes no sequelize whose driver is not known, and does without what a pool does not tell', async t => {
  const sequelize = new Sequelize(postgres.url, { logging: false })
  t.teardown(() => sequelize.close())
  const { vitals, read, count } = await instrumented(t, sequelize, 'postgresql')
  const { connectionManager } = sequelize as unknown as { connectionManager: { dialectName: string, pool: object } }
  const { pool } = connectionManager
  connectionManager.pool = { acquire: pool.constructor.prototype.acquire.bind(pool), release: pool.constructor.prototype.release.bind(pool) }
  await sequelize.query('select 1 from pg_class limit 1')
  t.equal(count('SELECT', 'pg_class'), 1)
  await vitals.render()
  t.equal(read('db_connection_pool_size'), undefined)
  t.equal(vitals.uninstrument(sequelize), true)
  connectionManager.pool = pool
  connectionManager.dialectName = 'mssql'
  t.throws(() => vitals.instrument(sequelize, { name: 'forms' }), { code: 'FSV_ERR_UNKNOWN_CLIENT', message: /sequelize \(on pg or mysql2\)/ })
})
