import type { Registry } from '../series/registry.ts'
import { CacheClient } from './caches/cache-client.ts'
import { CacheMetrics } from './caches/cache.ts'
import type { Attachment } from './client-adapter.ts'
import { DbClient } from './databases/db-client.ts'
import { DbMetrics } from './databases/db.ts'
import { HealthMetrics } from './health.ts'

/** An instrumented client. */
export interface HeldClient extends Attachment {
  /** What the application gave; {@link Attachment.client} may stand for it. */
  readonly given: object
  readonly name: string
  /** How many applications have instrumented it. */
  users: number
}

const setsOfStores = new WeakMap<Registry, ClientSets>()

/** What belongs to a store, however many applications share it: the metrics of clients, and which clients have them. */
export class ClientSets {
  readonly held = new WeakMap<object, HeldClient>()
  /** What is observed already, as a client or as a part of one. */
  readonly observed = new WeakSet<object>()
  readonly #registry: Registry
  #withErrorTypes = false
  #db: DbMetrics | undefined
  #cache: CacheMetrics | undefined

  private constructor (registry: Registry) {
    this.#registry = registry
  }

  /** The sets of a store. */
  static of (registry: Registry): ClientSets {
    let sets = setsOfStores.get(registry)
    if (sets === undefined) setsOfStores.set(registry, sets = new ClientSets(registry))
    return sets
  }

  /** Keeps durations by error too, from now on: one of the applications shows them. */
  keepErrorTypes (): void {
    this.#withErrorTypes = true
    this.#db?.keepErrorTypes()
  }

  /** The metrics are defined by the first client that has them. */
  db (name: string, system: string, namespace: string | undefined): DbClient {
    const db = this.#db ??= new DbMetrics(this.#registry)
    if (this.#withErrorTypes) db.keepErrorTypes()
    if (namespace !== undefined) db.namespaces.note(system, name, namespace)
    return new DbClient(db, system, name)
  }

  get health (): HealthMetrics {
    return HealthMetrics.of(this.#registry)
  }

  cache (name: string): CacheClient {
    this.#cache ??= new CacheMetrics(this.#registry)
    return new CacheClient(this.#cache, name)
  }
}
