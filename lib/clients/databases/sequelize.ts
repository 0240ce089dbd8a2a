import type { Attachment, ClientAdapter, ClientContext } from '../client-adapter.ts'
import type { PoolReading } from './db.ts'
import { DriverClients } from './driver-clients.ts'
import { errorTypeOf } from '../error-type.ts'
import type { CheckoutForm } from './pool-checkouts.ts'
import { observeCheckouts } from './pool-checkouts.ts'

interface Sequelize {
  readonly connectionManager: ConnectionManager
  readonly config?: { readonly database?: unknown }
}

/** What hands out connections, and takes note of the dialect. */
interface ConnectionManager {
  readonly dialectName: string
  /** Of sequelize-pool; with replication it has two of them. */
  readonly pool: SequelizePool & { readonly read?: SequelizePool, readonly write?: SequelizePool }
}

interface SequelizePool {
  readonly size?: number
  readonly available?: number
  readonly using?: number
  readonly waiting?: number
  readonly maxSize?: number
  readonly _availableObjects?: readonly { readonly resource: object }[]
  readonly _inUseObjects?: readonly { readonly resource: object }[]
}

/** OpenTelemetry's names of databases by sequelize's dialects, of those whose drivers' queries can be counted. */
const SYSTEMS: Readonly<Record<string, string>> = { postgres: 'postgresql', mysql: 'mysql' }

const CHECKOUTS: CheckoutForm = {
  runs: ['query'],
  checkout: 'getConnection',
  textOf: sql => typeof sql === 'string' ? sql : (sql as { query?: unknown } | null | undefined)?.query,
  errorTypeOf: error => isTimeout(error) ? 'connection_timeout' : errorTypeOf((Object(error) as { parent?: unknown }).parent ?? error),
  isTimeout
}

function isTimeout (error: unknown): boolean {
  return (Object(error) as { name?: unknown }).name === 'SequelizeConnectionAcquireTimeoutError'
}

/** Sequelize: its pool, and the connections that it hands out. Its hooks tell neither what failed nor how long it took. */
export const sequelize: ClientAdapter = {
  title: 'sequelize (on pg or mysql2)',
  recognises: client => {
    const { connectionManager, define, query } = client as Readonly<Record<string, unknown>>
    const { dialectName, pool, getConnection } = Object(connectionManager) as Readonly<Record<string, unknown>>
    return [define, query, getConnection].every(method => typeof method === 'function') && typeof pool === 'object' && Object.hasOwn(SYSTEMS, String(dialectName))
  },
  attach: (client, context) => attach(client as Sequelize, context)
}

function attach (client: Sequelize, context: ClientContext): Attachment {
  const { connectionManager, config } = client
  const database = config?.database
  const db = context.db(SYSTEMS[connectionManager.dialectName]!, typeof database === 'string' ? database : undefined)
  const clients = new DriverClients({ ...context, db: () => db })
  for (const connection of connectionsOf(connectionManager)) clients.observe(connection)
  const restore = observeCheckouts(connectionManager, db, CHECKOUTS, connection => clients.observe(connection), { runner: client })
  const unwatch = db.watchPool(connectionManager, readPool)
  return {
    detach () {
      restore()
      unwatch()
      clients.release(connectionsOf(connectionManager))
    }
  }
}

function poolsOf ({ pool }: ConnectionManager): readonly SequelizePool[] {
  return pool.read !== undefined && pool.write !== undefined ? [pool.read, pool.write] : [pool]
}

function readPool (connectionManager: ConnectionManager): PoolReading {
  const pools = poolsOf(connectionManager)
  const sum = (of: (pool: SequelizePool) => number | undefined): number | undefined => {
    const total = pools.reduce((total, pool) => total + (of(pool) ?? NaN), 0)
    return Number.isNaN(total) ? undefined : total
  }
  const [size, idle] = [sum(({ size }) => size), sum(({ available }) => available)]
  return { size, active: size === undefined || idle === undefined ? undefined : size - idle, idle, pending: sum(({ waiting }) => waiting), max: sum(({ maxSize }) => maxSize) }
}

function connectionsOf (connectionManager: ConnectionManager): object[] {
  return poolsOf(connectionManager).flatMap(({ _availableObjects: available = [], _inUseObjects: used = [] }) => [...available, ...used].map(({ resource }) => resource))
}
