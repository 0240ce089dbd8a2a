import { attachBehind } from '../behind.ts'
import type { Attachment, ClientAdapter, ClientContext } from '../client-adapter.ts'
import type { DbClient } from './db-client.ts'
import type { PoolReading } from './db.ts'
import { DriverClients } from './driver-clients.ts'
import type { CheckoutForm } from './pool-checkouts.ts'
import { observeCheckouts } from './pool-checkouts.ts'

/** What is used of knex's own client, which all builders share. */
interface KnexClient {
  readonly dialect?: string
  readonly driverName?: string
  readonly connectionSettings?: { readonly database?: unknown }
  /** Gone when knex is destroyed; of tarn, or what the application has given. */
  readonly pool?: TarnPool | undefined
}

interface TarnPool {
  readonly max?: number
  readonly used?: readonly { readonly resource: object }[]
  readonly free?: readonly { readonly resource: object }[]
  numUsed? (): number
  numFree? (): number
  numPendingAcquires? (): number
  numPendingCreates? (): number
}

interface Builder {
  toSQL (): { readonly sql?: unknown } | readonly { readonly sql?: unknown }[]
}

const SYSTEMS: Readonly<Record<string, string>> = { postgresql: 'postgresql', redshift: 'postgresql', mysql: 'mysql', sqlite3: 'sqlite', mssql: 'microsoft.sql_server', oracle: 'oracle.db' }

const CHECKOUTS: CheckoutForm = {
  runs: ['runner'],
  asksAfter: true,
  checkout: 'acquireConnection',
  textOf,
  errorTypeOf: error => isTimeout(error) ? 'connection_timeout' : undefined,
  isTimeout
}

function isTimeout (error: unknown): boolean {
  return (error as Error | undefined)?.name === 'KnexTimeoutError'
}

/**
 * Knex on pg, mysql2 or better-sqlite3: its pool, and the connections that it hands out. They know more than its events do: how long
 * a BEGIN took, when a stream ended.
 */
export const knex: ClientAdapter = {
  title: 'knex (on pg, mysql2 or better-sqlite3)',
  recognises: client => clientOf(client) !== undefined,
  attach: (client, context) => attachClient(clientOf(client)!, context)
}

function clientOf (knex: object): KnexClient | undefined {
  const { client, raw } = knex as Readonly<Record<string, unknown>>
  if (typeof client !== 'object' || client === null || typeof raw !== 'function') return undefined
  const { acquireConnection, releaseConnection, runner } = client as Readonly<Record<string, unknown>>
  return [acquireConnection, releaseConnection, runner].every(method => typeof method === 'function') ? client : undefined
}

function attachClient (client: KnexClient, context: ClientContext): Attachment {
  const database = client.connectionSettings?.database
  const db = context.db(SYSTEMS[String(client.dialect)] ?? 'other_sql', typeof database === 'string' ? database : undefined)
  const clients = new DriverClients({ ...context, db: () => db })
  let isWarned = false
  const observe = (connection: object): void => {
    if (clients.observe(connection) || isWarned) return
    isWarned = true
    context.warn(`The queries of knex are not counted: its driver ${String(client.driverName)} is none of pg, mysql2, better-sqlite3`)
  }
  for (const connection of connectionsOf(client)) observe(connection)
  const restore = observeCheckouts(client, db, CHECKOUTS, observe)
  const unwatch = watchPool(client, db, context)
  return {
    detach () {
      restore()
      unwatch()
      clients.release(connectionsOf(client))
    }
  }
}

/** Copies of knex have a client of their own, and share the pool. */
function watchPool (client: KnexClient, db: DbClient, context: ClientContext): () => void {
  // One that was destroyed has none.
  return attachBehind(client, Object(client.pool) as object, context, () => ({ detach: db.watchPool(client, readPool) })).detach
}

function readPool ({ pool }: KnexClient): PoolReading {
  const [used, free, creating] = [pool?.numUsed?.(), pool?.numFree?.(), pool?.numPendingCreates?.()]
  if (used === undefined || free === undefined || creating === undefined) return {}
  return { size: used + free + creating, active: used + creating, idle: free, pending: pool?.numPendingAcquires?.(), max: pool?.max }
}

function connectionsOf ({ pool }: KnexClient): object[] {
  return [...pool?.used ?? [], ...pool?.free ?? []].map(({ resource }) => resource)
}

function textOf (builder: unknown): unknown {
  try {
    const query = (builder as Builder).toSQL()
    return (Array.isArray(query) ? query[0] : query)?.sql
  } catch {
    // It would have failed with a connection, too.
    return undefined
  }
}
