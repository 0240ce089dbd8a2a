import { performance } from 'node:perf_hooks'
import type { DbClient } from './db-client.ts'
import type { PoolReading } from './db.ts'
import { listen } from './listen.ts'

/** An event of a connection pool (MongoDB specifications, "Connection Monitoring and Pooling"): each server has one. */
interface PoolEvent {
  readonly address: string
}

interface CreatedEvent extends PoolEvent {
  /** 0 stands for no limit. */
  readonly options: { readonly maxPoolSize: number }
}

interface ConnectionEvent extends PoolEvent {
  /** Within its pool. */
  readonly connectionId: unknown
}

interface FailedEvent extends PoolEvent {
  readonly reason: string
}

interface Pool {
  size: number
  /** Handed out. */
  active: number
  /** Those that are being made. */
  readonly making: Set<unknown>
  /** Starts of the waits for a connection, ms; who waits longest is served first. */
  readonly waiting: number[]
  readonly max: number
}

/** The pools of a client, by the address of the server. */
type Pools = Map<string, Pool>

/** Keeps count of connections by the pools' events, and times each checkout. */
export function watchMongoPools (client: NodeJS.EventEmitter, db: DbClient): () => void {
  const pools: Pools = new Map()
  const change = <E extends PoolEvent>(by: (pool: Pool, event: E) => void) => (event: E): void => {
    const pool = pools.get(event.address)
    if (pool !== undefined) by(pool, event)
  }
  const stops = [
    db.watchPool(pools, readPools),
    listen(client, {
      connectionPoolCreated: ({ address, options }: CreatedEvent) => { pools.set(address, { size: 0, active: 0, making: new Set(), waiting: [], max: options.maxPoolSize }) },
      connectionPoolClosed: ({ address }: PoolEvent) => { pools.delete(address) },
      connectionCreated: change((pool, { connectionId }: ConnectionEvent) => {
        pool.size++
        pool.making.add(connectionId)
      }),
      connectionReady: change((pool, { connectionId }: ConnectionEvent) => { pool.making.delete(connectionId) }),
      connectionClosed: change((pool, { connectionId }: ConnectionEvent) => {
        pool.size--
        pool.making.delete(connectionId)
      }),
      connectionCheckOutStarted: change(pool => { pool.waiting.push(performance.now()) }),
      connectionCheckedOut: change(pool => {
        pool.active++
        db.connected(pool.waiting.shift()!)
      }),
      connectionCheckOutFailed: change((pool, { reason }: FailedEvent) => {
        pool.waiting.shift()
        if (reason === 'timeout') db.connectionTimedOut()
      }),
      connectionCheckedIn: change(pool => { pool.active-- })
    })
  ]
  return () => { for (const stop of stops) stop() }
}

function readPools (pools: Pools): PoolReading {
  const all = [...pools.values()]
  const sum = (of: (pool: Pool) => number): number => all.reduce((total, pool) => total + of(pool), 0)
  const [size, active] = [sum(pool => pool.size), sum(pool => pool.active + pool.making.size)]
  return { size, active, idle: size - active, pending: sum(pool => pool.waiting.length), max: all.length > 0 && all.every(({ max }) => max > 0) ? sum(pool => pool.max) : undefined }
}
