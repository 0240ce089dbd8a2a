import type { CounterSeries } from '../../series/counter.ts'
import type { CacheMetrics } from './cache.ts'
import { CacheOperationRow } from './cache-operation-row.ts'
import { OTHER } from '../databases/db.ts'

/** Names of commands and methods; what an application makes up must not fill the store. */
const MOST_OPERATIONS = 300

/** The series of one instrumented cache: adapters supply numbers only. */
export class CacheClient {
  readonly #metrics: CacheMetrics
  readonly #cacheType: string
  readonly #rows = new Map<string, CacheOperationRow>()
  #evictions: CounterSeries | undefined

  constructor (metrics: CacheMetrics, cacheType: string) {
    this.#metrics = metrics
    this.#cacheType = cacheType
  }

  /** The series of an operation, by its name in lower case (`get`, `hset`). */
  operation (name: string): CacheOperationRow {
    return this.#rows.get(name) ?? this.#add(this.#rows.size < MOST_OPERATIONS ? name : OTHER)
  }

  #add (name: string): CacheOperationRow {
    const row = this.#rows.get(name) ?? new CacheOperationRow(this.#metrics, this.#cacheType, name)
    this.#rows.set(name, row)
    return row
  }

  /** @default 1 entry */
  evicted (entries: number = 1): void {
    (this.#evictions ??= this.#metrics.evictions.bind([this.#cacheType])).inc(entries)
  }

  /** Shows how many entries a cache holds, read at each snapshot, for as long as the cache lives or until the returned function is called. */
  watchSize<C extends object> (cache: C, read: (cache: C) => number | undefined): () => void {
    return this.#metrics.sizes.watch([this.#cacheType], cache, cache => ({ size: read(cache) }))
  }
}
