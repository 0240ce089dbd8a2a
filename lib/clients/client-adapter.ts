import type { CacheClient } from './caches/cache-client.ts'
import type { DbClient } from './databases/db-client.ts'

/** What an adapter has to work with: where a client's numbers go, under the name that the application gave it. */
export interface ClientContext {
  /** The `client` or `cache_type` of its series. */
  readonly name: string
  /** What is observed already: an adapter adds the parts of a client that could be instrumented by themselves, and leaves alone what is there. */
  readonly observed: WeakSet<object>
  /** The series of a database client. `system` is OpenTelemetry's `db.system.name`, `namespace` its `db.namespace`: the name of the database. */
  db (system: string, namespace?: string): DbClient
  /** The series of a cache. */
  cache (): CacheClient
  /**
   * Shows under the client's name whether it is connected: `health_dependency_status`, read at each snapshot, for as long as the
   * object lives or until the returned function is called. `isUp` is a function of its module, not a closure; `undefined`: not decided yet.
   */
  watchConnection<C extends object> (client: C, isUp: (client: C) => boolean | undefined): () => void
  /** Says something once in the log; no secrets, no statements. */
  warn (message: string): void
  /** Observes a part of the client, now or later: where that fails later, the log says so once, and nobody else notices. */
  attachPart<A> (attach: () => A): A | undefined
}

/** An instrumented client. */
export interface Attachment {
  /** What the application gets back, where that cannot be the client itself. @default the client */
  readonly client?: object
  /** Leaves the client as it was. */
  detach (): void
}

/** One kind of client: how it is recognised without importing its library, and how it is observed. */
export interface ClientAdapter {
  /** As an error lists it: `pg (Pool, Client)`. */
  readonly title: string
  /** By its shape; must not call anything of it. */
  recognises (client: object): boolean
  /** Must not keep the client alive: what lives longer than it holds it weakly. Throws a `VitalsError` where it comes too late. */
  attach (client: object, context: ClientContext): Attachment
}
