import type { Attachment, ClientAdapter, ClientContext } from '../client-adapter.ts'
import type { DbClient } from './db-client.ts'
import type { PoolReading } from './db.ts'
import { PgConnection, textOf } from './pg-connection.ts'
import { wrapMethod } from '../wrap-method.ts'

/** What is used of a pool of pg-pool: its public interface, and the list of its clients. */
interface PgPool extends NodeJS.EventEmitter {
  readonly totalCount: number
  readonly idleCount: number
  readonly waitingCount: number
  readonly options: { readonly max?: number, readonly database?: string, readonly connectionString?: string }
  readonly _clients: readonly object[]
}

interface PgClient extends NodeJS.EventEmitter {
  readonly database?: string
}

type Callback = (this: unknown, ...given: unknown[]) => unknown

/** What pg-pool says that has no connection to give; its errors have no code. */
const ERROR_TYPES: ReadonlyMap<unknown, string> = new Map([
  ['timeout exceeded when trying to connect', 'connection_timeout'],
  ['Connection terminated due to connection timeout', 'connection_timeout'],
  ['Cannot use a pool after calling end on the pool', 'pool_closed']
])

/** node-postgres: a pool with all its clients, or a single client. Drivers with the same interface are recognised too. */
export const pg: ClientAdapter = {
  title: 'pg (Pool, Client)',
  recognises: client => isPool(client) || isClient(client),
  attach: (client, context) => isPool(client) ? attachPool(client, context) : attachClient(client as PgClient, context)
}

function isPool (client: object): client is PgPool {
  const { query, connect, totalCount, idleCount, waitingCount, _clients } = client as Readonly<Record<string, unknown>>
  return typeof query === 'function' && typeof connect === 'function' && [totalCount, idleCount, waitingCount].every(Number.isInteger) && Array.isArray(_clients)
}

function isClient (client: object): client is PgClient {
  const { query, connect, connectionParameters } = client as Readonly<Record<string, unknown>>
  return typeof query === 'function' && typeof connect === 'function' && typeof connectionParameters === 'object'
}

function attachClient (client: PgClient, context: ClientContext): Attachment {
  const connection = new PgConnection(client, context.db('postgresql', client.database))
  return { detach: () => connection.detach() }
}

function attachPool (pool: PgPool, context: ClientContext): Attachment {
  const db = context.db('postgresql', databaseOf(pool))
  const connections = new WeakMap<object, PgConnection>()
  const observe = (client: object): void => {
    if (context.observed.has(client)) return
    context.observed.add(client)
    connections.set(client, new PgConnection(client as PgClient, db))
  }
  pool._clients.forEach(observe)
  pool.on('acquire', observe)
  const unwatch = db.watchPool(pool, readPool)
  const restore = observeCheckouts(pool, db)
  return {
    detach () {
      restore()
      unwatch()
      pool.off('acquire', observe)
      for (const client of pool._clients) {
        if (connections.has(client)) context.observed.delete(client)
        connections.get(client)?.detach()
      }
    }
  }
}

/** The name of the database, where the settings tell. */
function databaseOf ({ options: { database, connectionString } }: PgPool): string | undefined {
  try {
    return connectionString === undefined ? database : decodeURIComponent(new URL(connectionString).pathname.slice(1)) || database
  } catch {
    return database
  }
}

function readPool ({ totalCount, idleCount, waitingCount, options }: PgPool): PoolReading {
  return { size: totalCount, active: totalCount - idleCount, idle: idleCount, pending: waitingCount, max: options.max }
}

/** No query of the pool is asking for a connection. */
const NOTHING = Symbol('nothing')

/** Times each checkout, and counts queries of the pool that never got to a connection. */
function observeCheckouts (pool: object, db: DbClient): () => void {
  /** What `pool.query()` was given, for as long as it asks for a connection, which it does at once. */
  let asking: unknown = NOTHING
  const restoreQuery = wrapMethod(pool, 'query', (receiver, original, args) => {
    asking = args[0]
    try {
      return Reflect.apply(original, receiver, args)
    } finally {
      asking = NOTHING
    }
  })
  const restoreConnect = wrapMethod(pool, 'connect', (receiver, original, args) => {
    const query = asking
    asking = NOTHING
    const callback = args[0] as Callback | undefined
    const startedMs = performance.now()
    const failed = (error: unknown): void => {
      const errorType = ERROR_TYPES.get((error as Error).message)
      if (errorType === 'connection_timeout') db.connectionTimedOut()
      if (query !== NOTHING) db.statement(textOf(query)).row.failed(startedMs, error, errorType)
    }
    try {
      if (typeof callback === 'function') {
        const observed: Callback = function (...given) {
          if (given[0]) failed(given[0])
          else db.connected(startedMs)
          return Reflect.apply(callback, this, given)
        }
        return original.call(receiver, observed)
      }
      return (Reflect.apply(original, receiver, args) as Promise<unknown>).then(client => {
        db.connected(startedMs)
        return client
      }, error => {
        failed(error)
        throw error
      })
    } catch (error) {
      failed(error)
      throw error
    }
  })
  return () => {
    restoreConnect()
    restoreQuery()
  }
}
