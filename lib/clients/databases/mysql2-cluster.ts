import { performance } from 'node:perf_hooks'
import type { Attachment } from '../client-adapter.ts'
import type { DbClient, StatementRow } from './db-client.ts'
import { textOf } from './mysql2-connection.ts'
import { POOL_ERRORS } from './mysql2-errors.ts'
import { wrapMethod } from '../wrap-method.ts'

/** What is used of a pool cluster: its pools, and what `of()` has made of patterns of their names; both private. */
export interface Cluster {
  readonly _nodes: Readonly<Record<string, { readonly pool: object }>>
  readonly _namespaces?: Readonly<Record<string, object>>
}

type Callback = (this: unknown, error: unknown, ...rest: unknown[]) => unknown

/**
 * A pool cluster: its pools as they come and go, and the statements of `of()` that get no connection from any of them. A pool for which
 * `attachPool` gives nothing is observed by itself: it is offered again, since that may end.
 */
export function attachCluster (cluster: Cluster, db: DbClient, attachPool: (pool: object) => Attachment | undefined): Attachment {
  const pools = new Map<object, Attachment>()
  const namespaces = new Map<object, () => void>()
  let lacksSome = false
  const follow = (): void => {
    lacksSome = false
    const present = new Set(Object.values(cluster._nodes).map(({ pool }) => pool))
    for (const [pool, attachment] of pools) {
      if (present.has(pool)) continue
      attachment.detach()
      pools.delete(pool)
    }
    for (const pool of present) {
      const attachment = pools.has(pool) ? undefined : attachPool(pool)
      if (attachment !== undefined) pools.set(pool, attachment)
      lacksSome ||= !pools.has(pool)
    }
    for (const namespace of Object.values(cluster._namespaces ?? {})) {
      if (!namespaces.has(namespace)) namespaces.set(namespace, observeNamespace(namespace, db, begun))
    }
  }
  const begun = (): void => { if (lacksSome) follow() }
  follow()
  const restore = ['add', '_removeNode', 'of'].filter(name => name in cluster).map(name => wrapMethod(cluster, name, (receiver, original, args) => {
    const result = Reflect.apply(original, receiver, args)
    follow()
    return result
  }))
  return {
    detach () {
      for (const put of [...restore, ...namespaces.values()]) put()
      for (const attachment of pools.values()) attachment.detach()
    }
  }
}

/** The pools time the checkouts themselves. `begun` is called before each statement and checkout. */
function observeNamespace (namespace: object, db: DbClient, begun: () => void): () => void {
  /** The statement of `query()` or `execute()` until it asks for a connection, which it does at once. */
  let asking: StatementRow | undefined
  const restoreRuns = ['query', 'execute'].map(name => wrapMethod(namespace, name, (receiver, original, args) => {
    begun()
    asking = db.statement(textOf(args[0]))
    try {
      return Reflect.apply(original, receiver, args)
    } finally {
      asking = undefined
    }
  }))
  const restoreCheckout = wrapMethod(namespace, 'getConnection', (receiver, original, args) => {
    const statement = asking
    asking = undefined
    begun()
    // It asks again, with the same callback, where another pool may have one.
    if (statement === undefined) return Reflect.apply(original, receiver, args)
    const [callback] = args as [Callback]
    const startedMs = performance.now()
    const observed: Callback = function (...given) {
      const [error] = given
      if (error) statement.row.failed(startedMs, error, POOL_ERRORS.get((error as Error).message))
      return Reflect.apply(callback, this, given)
    }
    return Reflect.apply(original, receiver, [observed])
  })
  return () => {
    restoreCheckout()
    for (const restore of restoreRuns) restore()
  }
}
