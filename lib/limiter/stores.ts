import { performance } from 'node:perf_hooks'
import type { HistogramSeries } from '../series/histogram.ts'
import type { LimiterMetrics } from './limiter-metrics.ts'

type Callback = (error: unknown, result?: unknown) => void
export type Call = (this: unknown, key: unknown, callback: Callback, timeWindow?: unknown, max?: unknown) => unknown
export type Child = (this: unknown, ...args: unknown[]) => unknown

/** A store of @fastify/rate-limit, of its own or the application's. */
export interface Store {
  incr?: Call
  read?: Call
  child?: Child
}

/** Which kind of store: the label `store`. */
type StoreKind = 'local' | 'redis' | 'custom'

/** The properties of @fastify/rate-limit's own stores (10 and 11); names of classes do not survive a minifier. */
const KIND_OF: Readonly<Record<string, StoreKind>> = {
  'continueExceeding,exponentialBackoff,lru': 'local',
  'continueExceeding,exponentialBackoff,redis,key': 'redis'
}

const OPERATIONS = ['incr', 'read'] as const

/** Replaces a method of one store: neither its class nor a list of its properties shows it. What cannot be replaced stays. */
export function replace (store: Store, name: keyof Store, method: Call | Child): void {
  Reflect.defineProperty(store, name, { value: method, configurable: true, writable: true })
}

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

  /** Watches a store and those that it makes for routes; `false` for one that cannot be changed (frozen), which stays as it is. */
  watch (store: Store, kind: StoreKind = KIND_OF[Object.keys(store).join()] ?? 'custom'): boolean {
    if (!Object.isExtensible(store)) return false
    if (this.#watched.has(store)) return true
    this.#watched.add(store)
    for (const operation of OPERATIONS) {
      const original = store[operation]
      if (typeof original === 'function') replace(store, operation, this.#timed(original, kind, operation))
    }
    const { child } = store
    if (typeof child === 'function') {
      const stores = this
      replace(store, 'child', function (this: unknown, ...args: unknown[]) {
        const made = child.apply(this, args)
        if (typeof made === 'object' && made !== null) stores.watch(made, kind)
        return made
      })
    }
    return true
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
