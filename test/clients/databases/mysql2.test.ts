import mysql from 'mysql2'
import type { Pool } from 'mysql2'
import mysqlPromise from 'mysql2/promise'
import t from 'tap'
import type { DbSubject, Opening } from './db-contract.ts'
import { dbContract } from './db-contract.ts'
import { startMariadb } from './support/mariadb-server.ts'

const server = await startMariadb(t)

const common: Omit<DbSubject, 'title' | 'open' | 'hasPool' | 'touched'> = {
  system: 'mysql',
  server,
  waitsForEver: true,
  sleep: seconds => `select sleep(${seconds})`,
  errorTypes: { duplicate: 'ER_DUP_ENTRY', refused: 'ECONNREFUSED', broken: ['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'EPIPE'] },
  rows: result => (result as [unknown])[0]
}

const optionsOf = ({ port, max, connectTimeoutMs }: Opening): mysql.PoolOptions => ({ host: '127.0.0.1', port, user: 'root', database: 'mysql', connectionLimit: max, connectTimeout: connectTimeoutMs })
const pool = { ...common, hasPool: true, touched: ['query', 'execute', 'getConnection'] }

async function end (pool: Pool): Promise<void> {
  await new Promise<void>(resolve => pool.end(() => resolve()))
}

async function together (pool: mysqlPromise.Pool, statements: readonly string[]): Promise<void> {
  const connection = await pool.getConnection()
  try {
    for (const statement of statements) await connection.query(statement)
  } finally {
    connection.release()
  }
}

dbContract(t, {
  ...pool,
  title: 'mysql2 Pool with callbacks',
  open: opening => {
    const pool = mysql.createPool(optionsOf(opening))
    const run = (sql: string): Promise<unknown> => new Promise((resolve, reject) => pool.query(sql, (error, ...answer) => error ? reject(error) : resolve(answer)))
    return { client: pool, run, runTogether: statements => together(pool.promise(), statements), close: () => end(pool) }
  }
})

dbContract(t, {
  ...pool,
  title: 'mysql2 promise Pool with prepared statements',
  open: opening => {
    const pool = mysqlPromise.createPool(optionsOf(opening))
    return { client: pool, run: sql => pool.execute(sql, []), runTogether: statements => together(pool, statements), close: () => pool.end() }
  }
})

dbContract(t, {
  ...common,
  title: 'mysql2 Connection with events',
  hasPool: false,
  touched: ['query', 'execute', 'addCommand', '_addCommandClosedState', 'emit', 'reset', 'changeUser'],
  open: opening => {
    const connection = mysql.createConnection(optionsOf(opening))
    connection.on('error', () => {})
    const run = (sql: string): Promise<unknown> => new Promise((resolve, reject) => {
      const rows: unknown[] = []
      const broke = (error: Error): void => reject(error)
      connection.once('error', broke)
      connection.query(sql).on('result', row => rows.push(row)).on('error', reject).on('end', () => {
        connection.off('error', broke)
        resolve([rows])
      })
    })
    return {
      client: connection,
      run,
      runTogether: async statements => { for (const statement of statements) await run(statement) },
      close: async () => connection.destroy()
    }
  }
})
