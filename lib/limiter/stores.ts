import { performance } from 'node:perf_hooks'
import type { HistogramSeries } from '../series/histogram.ts'
import type { LimiterMetrics } from './limiter-metrics.ts'

type Callback = (error: unknown, result?: unknown) => void
export type Call = (this: unknown, key: unknown, callback: Callback, timeWindow?: unknown, max?: unknown) => unknown
export type Child = (this: unknown, ...args: unknown[]) => unknown
export type StoreClass = new (...args: unknown[]) => Store

/** A store of @fastify/rate-limit, of its own or the application's. */
export interface Store {
  incr?: Call
  read?: Call
  child?: Child
}

/** Which kind of store: the label `store`. */
export type StoreKind = 'local' | 'redis' | 'custom'

const OPERATIONS = ['incr', 'read'] as const

/** Times the calls of stores. A store keeps its class and all it does; only its methods tell when they begin and end. */
export class Stores {
  /** What a store failed with last: limiters with `skipOnError` keep it to themselves. */
  lastError: unknown = undefined
  /**
   * While a limiter begins a check: when it began; else 0. A store that is called within that and answers at once takes
   * this for its own beginning and leaves its end in `endedMs` for the check: reading the clock is what costs most here.
   */
  beganMs = 0
  endedMs = 0
  readonly #metrics: LimiterMetrics
  readonly #watched = new WeakSet<object>()

  constructor (metrics: LimiterMetrics) {
    this.#metrics = metrics
  }

  has (store: object): boolean {
    return this.#watched.has(store)
  }

  /** Watches one store; what cannot be changed (frozen) stays as it is. */
  watch (store: Store, kind: StoreKind): void {
    if (this.#watched.has(store) || !Object.isExtensible(store)) return
    this.#watched.add(store)
    for (const operation of OPERATIONS) {
      const original = store[operation]
      if (typeof original === 'function') store[operation] = this.#timed(original, kind, operation)
    }
    const { child } = store
    if (kind === 'custom' && typeof child === 'function') {
      const stores = this
      store.child = function (...args) {
        const made = child.apply(this, args)
        if (typeof made === 'object' && made !== null) stores.watch(made, kind)
        return made
      }
    }
  }

  /** A call took so long. */
  observe (kind: StoreKind, operation: string, seconds: number): void {
    this.#metrics.storeDuration.with({ store: kind, operation }).observe(seconds)
  }

  /** A class of stores whose instances are watched: what `new` gives is an instance of the application's own class. */
  watchedClass (Custom: StoreClass): StoreClass {
    const stores = this
    return function WatchedStore (...args: unknown[]) {
      const store = new Custom(...args)
      stores.watch(store, 'custom')
      return store
    } as unknown as StoreClass
  }

  #timed (original: Call, kind: StoreKind, operation: string): Call {
    const stores = this
    let duration: HistogramSeries | undefined
    return function (key, callback, timeWindow, max) {
      const { beganMs } = stores
      const startMs = beganMs > 0 ? beganMs : performance.now()
      let isOver = false
      return original.call(this, key, (error, result) => {
        if (!isOver) {
          isOver = true
          duration ??= stores.#metrics.storeDuration.with({ store: kind, operation })
          const endMs = performance.now()
          if (beganMs > 0 && stores.beganMs === beganMs) stores.endedMs = endMs
          duration.observe((endMs - startMs) / 1_000)
          if (error) stores.lastError = error
        }
        callback(error, result)
      }, timeWindow, max)
    }
  }
}
