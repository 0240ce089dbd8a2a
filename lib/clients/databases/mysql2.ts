import { attachBehind } from '../behind.ts'
import type { Attachment, ClientAdapter, ClientContext } from '../client-adapter.ts'
import type { PoolReading } from './db.ts'
import { listen } from './listen.ts'
import { attachCluster } from './mysql2-cluster.ts'
import type { Cluster } from './mysql2-cluster.ts'
import { Mysql2Connection, textOf } from './mysql2-connection.ts'
import { POOL_ERRORS } from './mysql2-errors.ts'
import type { CheckoutForm } from './pool-checkouts.ts'
import { isTaken, observeCheckouts } from './pool-checkouts.ts'
import { PoolConnections } from './pool-connections.ts'

/** What is used of a pool: its configuration and its private lists, where they are. */
interface Mysql2Pool extends NodeJS.EventEmitter {
  readonly config: { readonly connectionLimit?: number, readonly connectionConfig: { readonly database?: string } }
  readonly _allConnections?: Queue
  readonly _freeConnections?: Queue
  readonly _connectionQueue?: Queue
  readonly _closed?: boolean
}

interface Queue {
  readonly length: number
  get (index: number): object | undefined
}

const CHECKOUTS: CheckoutForm = {
  runs: ['query', 'execute'],
  checkout: 'getConnection',
  asksAgain: true,
  textOf,
  errorTypeOf,
  isTimeout: error => (error as { code?: unknown }).code === 'ETIMEDOUT' || errorTypeOf(error) === 'connection_timeout'
}

function errorTypeOf (error: unknown): string | undefined {
  return POOL_ERRORS.get((error as { message?: unknown }).message)
}

/**
 * mysql2: a pool with all its connections, the pools of a cluster, a single connection; each with callbacks or as its
 * promise wrapper. Its tracing channels do not tell which pool a query belongs to.
 */
export const mysql2: ClientAdapter = {
  title: 'mysql2 (Pool, PoolCluster, Connection, also with promises), app.mysql of @fastify/mysql',
  recognises: client => isMysql2(coreOf(client)),
  attach (client, context) {
    const core = coreOf(client)
    return attachBehind(client, core, context, () => attachCore(core, context, isCopy(client, core) ? client : undefined))
  }
}

/** Promise wrappers hold what they wrap, and @fastify/mysql may hold one of those. */
function coreOf (client: object): object {
  return wrappedIn(client) ?? wrappedIn((client as Readonly<Record<string, unknown>>)['pool']) ?? client
}

function wrappedIn (client: unknown): object | undefined {
  const { pool, connection, poolCluster } = Object(client) as Readonly<Record<string, unknown>>
  return [pool, connection, poolCluster].find((core): core is object => typeof core === 'object' && core !== null && isMysql2(core))
}

/** Whether it holds methods that were taken off the pool, as @fastify/mysql does; those of a promise wrapper call the pool's own. */
function isCopy (client: object, core: object): boolean {
  return (client as { pool?: unknown }).pool === core && isTaken(client, CHECKOUTS.checkout)
}

function isMysql2 (client: object): boolean {
  return isPool(client) || isCluster(client) || isConnection(client)
}

function has (client: object, methods: readonly string[]): boolean {
  return methods.every(name => typeof (client as Readonly<Record<string, unknown>>)[name] === 'function')
}

function isPool (client: object): client is Mysql2Pool {
  return has(client, ['query', 'execute', 'getConnection', 'releaseConnection', 'on']) && typeof (client as Partial<Mysql2Pool>).config?.connectionConfig === 'object'
}

function isCluster (client: object): client is Cluster {
  return has(client, ['of', 'add', 'getConnection']) && typeof (client as Partial<Cluster>)._nodes === 'object'
}

function isConnection (client: object): boolean {
  return has(client, ['query', 'execute', 'prepare', 'addCommand', 'beginTransaction'])
}

function attachCore (core: object, context: ClientContext, copy?: object): Attachment {
  if (isPool(core)) return attachPool(core, context, copy)
  if (isCluster(core)) return attachCluster(core, context.db('mysql'), pool => context.observed.has(pool) ? undefined : context.attachPart(() => attachBehind(core, pool, context, () => attachCore(pool, context))))
  const connection = new Mysql2Connection(core, context.db('mysql', (core as { config?: { database?: string } }).config?.database))
  return { detach: () => connection.detach() }
}

/** `copy`: what holds methods that were taken off the pool before. */
function attachPool (pool: Mysql2Pool, context: ClientContext, copy: object | undefined): Attachment {
  const db = context.db('mysql', pool.config.connectionConfig.database)
  const connections = new PoolConnections(context, connection => new Mysql2Connection(connection, db))
  for (const connection of connectionsOf(pool)) connections.see(connection)
  const see = (connection: object): void => connections.see(connection)
  const restore = observeCheckouts(pool, db, CHECKOUTS, see, { copy })
  // A `getConnection` that was taken off the pool before tells of no checkout.
  const deafen = listen(pool, { connection: see })
  const unwatch = db.watchPool(pool, readPool)
  return {
    detach () {
      restore()
      deafen()
      unwatch()
      connections.leave(connectionsOf(pool))
    }
  }
}

function connectionsOf ({ _allConnections: all }: Mysql2Pool): object[] {
  return Array.from({ length: all?.length ?? 0 }, (_, i) => all!.get(i)!)
}

function readPool ({ _allConnections: all, _freeConnections: free, _connectionQueue: queue, _closed: isClosed, config }: Mysql2Pool): PoolReading {
  // Its lists stay as they were.
  if (isClosed === true) return {}
  const isKnown = all !== undefined && free !== undefined
  // A limit of 0 is none.
  return { size: all?.length, active: isKnown ? all.length - free.length : undefined, idle: free?.length, pending: queue?.length, max: config.connectionLimit || undefined }
}
