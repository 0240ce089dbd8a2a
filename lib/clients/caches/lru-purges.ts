import type { CacheClient } from './cache-client.ts'

/** What has a number of entries. */
interface Sized {
  readonly size: number
}

/**
 * The entries that `ttlAutopurge` removes: nothing tells of them, but nothing else makes the cache smaller between two calls. They are
 * counted by the next call, or the next reading of the size. What the end of a fetch removes is told apart, since it says that it comes.
 */
export class LruPurges {
  readonly #client: CacheClient
  /** How many entries there should be. */
  #expected: number
  #isFetchEnding = false
  /** Calls that are under way, one within the other. */
  #depth = 0
  /** Fetches that do not say when they end. */
  #silent = 0

  constructor (client: CacheClient, cache: Sized) {
    this.#client = client
    this.#expected = cache.size
  }

  /** What runs is a call of the application, or a part of one. */
  during<T> (cache: Sized, run: () => T): T {
    this.read(cache)
    this.#depth++
    try {
      return run()
    } finally {
      if (--this.#depth === 0) this.#expected = cache.size
    }
  }

  /** How many entries there are now, after those that have gone are counted. */
  read (cache: Sized): number {
    const { size } = cache
    if (this.#depth > 0 || this.#silent > 0 || this.#isFetchEnding) return size
    if (size < this.#expected) this.#client.evicted(this.#expected - size)
    this.#expected = size
    return size
  }

  /** The end of a fetch: what it does to the size is done when this turn is over. */
  fetchEnds (cache: Sized): void {
    this.read(cache)
    this.#isFetchEnding = true
    queueMicrotask(() => {
      this.#isFetchEnding = false
      this.#expected = cache.size
    })
  }

  /** A fetch with a status object of the application's own, which does not tell us of its end. */
  fetchBegins (): void {
    this.#silent++
  }

  fetchIsOver (cache: Sized): void {
    this.#silent--
    this.#expected = cache.size
  }
}
