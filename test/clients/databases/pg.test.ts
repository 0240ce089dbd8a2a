import { createRequire } from 'node:module'
import pg from 'pg'
import t from 'tap'
import type { DbSession, DbSubject, Opening } from './db-contract.ts'
import { dbContract } from './db-contract.ts'
import { startPostgres } from './support/postgres-server.ts'

// It has no types of its own.
const { Pool: OlderPool } = createRequire(import.meta.url)('pg-8.11') as typeof pg
const server = await startPostgres(t)

const common: Omit<DbSubject, 'title' | 'open' | 'hasPool' | 'touched'> = {
  system: 'postgresql',
  server,
  sleep: seconds => `select pg_sleep(${seconds})`,
  errorTypes: { duplicate: '23505', refused: 'ECONNREFUSED', broken: ['57P02', '57P01', 'connection_terminated', 'ECONNRESET'] },
  rows: result => (result as pg.QueryResult).rows
}

function openPool ({ port, max, connectTimeoutMs }: Opening, Pool: typeof pg.Pool = pg.Pool): pg.Pool {
  const pool = new Pool({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres', max, connectionTimeoutMillis: connectTimeoutMs })
  pool.on('error', () => {})
  return pool
}

async function runTogether (pool: pg.Pool, statements: readonly string[]): Promise<void> {
  const client = await pool.connect()
  client.on('error', () => {})
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    client.release()
  }
}

const pool = { ...common, hasPool: true, touched: ['query', 'connect'] }

dbContract(t, {
  ...pool,
  title: 'pg Pool with promises',
  open: opening => {
    const pool = openPool(opening)
    return { client: pool, run: sql => pool.query(sql), runTogether: statements => runTogether(pool, statements), close: () => pool.end() }
  }
})

dbContract(t, {
  ...pool,
  title: 'Pool of pg 8.11 with promises',
  open: opening => {
    const pool = openPool(opening, OlderPool)
    return { client: pool, run: sql => pool.query(sql), runTogether: statements => runTogether(pool, statements), close: () => pool.end() }
  }
})

dbContract(t, {
  ...pool,
  title: 'pg Pool with callbacks and parameters',
  open: opening => {
    const pool = openPool(opening)
    const run = (sql: string): Promise<unknown> => new Promise((resolve, reject) => pool.query(sql, [], (error, result) => error ? reject(error) : resolve(result)))
    return { client: pool, run, close: () => pool.end() }
  }
})

/** Connects at the first statement. */
function openClient ({ port }: Opening, run: (client: pg.Client, sql: string) => Promise<unknown>): DbSession {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' })
  client.on('error', () => {})
  let connecting: Promise<unknown> | undefined
  const connected = (): Promise<unknown> => (connecting ??= client.connect())
  return { client, run: async sql => await connected() && await run(client, sql), close: async () => { if (connecting !== undefined) await client.end() } }
}

dbContract(t, { ...common, title: 'pg Client with a configuration object', hasPool: false, touched: ['query'], open: opening => openClient(opening, (client, text) => client.query({ text })) })
