import { attachBehind } from '../behind.ts'
import type { Attachment, ClientAdapter, ClientContext } from '../client-adapter.ts'
import type { PoolReading } from './db.ts'
import { listen } from './listen.ts'
import { PgConnection, textOf } from './pg-connection.ts'
import type { CheckoutForm } from './pool-checkouts.ts'
import { isTaken, observeCheckouts } from './pool-checkouts.ts'
import { PoolConnections } from './pool-connections.ts'
import { wrapMethod } from '../wrap-method.ts'

/** What is used of a pool of pg-pool: its public interface, and the list of its clients. */
interface PgPool extends NodeJS.EventEmitter {
  readonly totalCount: number
  readonly idleCount: number
  readonly waitingCount: number
  readonly options: { readonly max?: number, readonly database?: string, readonly connectionString?: string, readonly onConnect?: unknown }
  readonly _clients: readonly object[]
}

/** What @fastify/postgres gives an application: methods that were taken off the pool, and the pool. */
interface Decorator {
  readonly pool: PgPool
}

interface PgClient extends NodeJS.EventEmitter {
  readonly database?: string
}

/** What pg-pool says that has no connection to give; its errors have no code. */
const ERROR_TYPES: ReadonlyMap<unknown, string> = new Map([
  ['timeout exceeded when trying to connect', 'connection_timeout'],
  ['Connection terminated due to connection timeout', 'connection_timeout'],
  ['Cannot use a pool after calling end on the pool', 'pool_closed']
])

const CHECKOUTS: CheckoutForm = {
  runs: ['query'],
  checkout: 'connect',
  textOf,
  errorTypeOf,
  isTimeout: error => errorTypeOf(error) === 'connection_timeout'
}

function errorTypeOf (error: unknown): string | undefined {
  return ERROR_TYPES.get((error as Error).message)
}

/** node-postgres: a pool with all its clients, also as @fastify/postgres has it, or a single client. Drivers with the same interface are recognised too. */
export const pg: ClientAdapter = {
  title: 'pg (Pool, Client), app.pg of @fastify/postgres',
  recognises: client => isPool(client) || isClient(client) || isDecorator(client),
  attach: (client, context) => isDecorator(client) ? attachBehind(client, client.pool, context, () => attachPool(client.pool, context, client)) : isPool(client) ? attachPool(client, context) : attachClient(client as PgClient, context)
}

function isDecorator (client: object): client is Decorator {
  const { pool } = client as Readonly<Record<string, unknown>>
  return typeof pool === 'object' && pool !== null && isPool(pool) && ['query', 'connect'].every(name => isTaken(client, name))
}

function isPool (client: object): client is PgPool {
  const { query, connect, on, totalCount, idleCount, waitingCount, _clients } = client as Readonly<Record<string, unknown>>
  return [query, connect, on].every(method => typeof method === 'function') && [totalCount, idleCount, waitingCount].every(Number.isInteger) && Array.isArray(_clients)
}

function isClient (client: object): client is PgClient {
  const { query, connect, connectionParameters } = client as Readonly<Record<string, unknown>>
  return typeof query === 'function' && typeof connect === 'function' && typeof connectionParameters === 'object'
}

function attachClient (client: PgClient, context: ClientContext): Attachment {
  const connection = new PgConnection(client, context.db('postgresql', client.database))
  return { detach: () => connection.detach() }
}

/** `copy`: what holds methods that were taken off the pool before. */
function attachPool (pool: PgPool, context: ClientContext, copy?: object): Attachment {
  const db = context.db('postgresql', databaseOf(pool))
  const connections = new PoolConnections(context, client => new PgConnection(client as PgClient, db))
  for (const client of pool._clients) connections.see(client)
  const see = (client: object): void => connections.see(client)
  const restore = observeCheckouts(pool, db, CHECKOUTS, see, { copy })
  // A `connect` that was taken off the pool before tells of no checkout.
  const deafen = listen(pool, { connect: see })
  const restoreHook = observeHook(pool, see)
  const unwatch = db.watchPool(pool, readPool)
  return {
    detach () {
      restore()
      deafen()
      restoreHook?.()
      unwatch()
      connections.leave(pool._clients)
    }
  }
}

/** The application's own work on a new connection, before the pool tells of it. */
function observeHook ({ options }: PgPool, see: (client: object) => void): (() => void) | undefined {
  if (typeof options.onConnect !== 'function') return undefined
  return wrapMethod(options, 'onConnect', (receiver, original, args) => {
    see(args[0] as object)
    return Reflect.apply(original, receiver, args)
  })
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
