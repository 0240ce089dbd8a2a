import knex from 'knex'
import type { Knex } from 'knex'
import t from 'tap'
import type { DbSession, DbSubject, Opening } from './db-contract.ts'
import { dbContract } from './db-contract.ts'
import { startMariadb } from './support/mariadb-server.ts'
import { startPostgres } from './support/postgres-server.ts'

const postgres = await startPostgres(t)
const mariadb = await startMariadb(t)

const quiet = { warn () {}, error () {}, debug () {}, deprecate () {} }

function open (config: Knex.Config, { max, connectTimeoutMs }: Opening): DbSession {
  const db = knex({ ...config, pool: { min: 0, max }, acquireConnectionTimeout: connectTimeoutMs, log: quiet })
  return {
    client: db,
    run: async sql => await db.raw(sql),
    runTogether: async statements => {
      const connection = await db.client.acquireConnection() as object
      try {
        for (const sql of statements) await db.raw(sql).connection(connection)
      } finally {
        await db.client.releaseConnection(connection)
      }
    },
    close: () => db.destroy()
  }
}

const common: Pick<DbSubject, 'hasPool' | 'touched'> = { hasPool: true, touched: ['client', 'raw', 'transaction'] }

dbContract(t, {
  ...common,
  title: 'knex on pg',
  system: 'postgresql',
  server: postgres,
  sleep: seconds => `select pg_sleep(${seconds})`,
  errorTypes: { duplicate: '23505', refused: 'ECONNREFUSED', broken: ['57P02', '57P01', 'connection_terminated', 'ECONNRESET'] },
  rows: result => (result as { rows: unknown }).rows,
  open: opening => open({ client: 'pg', connection: { host: '127.0.0.1', port: opening.port, user: 'postgres', database: 'postgres' } }, opening)
})

dbContract(t, {
  ...common,
  title: 'knex on mysql2',
  system: 'mysql',
  server: mariadb,
  sleep: seconds => `select sleep(${seconds})`,
  errorTypes: { duplicate: 'ER_DUP_ENTRY', refused: 'ECONNREFUSED', broken: ['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'EPIPE'] },
  rows: result => (result as [unknown])[0],
  open: opening => open({ client: 'mysql2', connection: { host: '127.0.0.1', port: opening.port, user: 'root', database: 'mysql' } }, opening)
})
