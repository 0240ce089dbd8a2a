import { performance } from 'node:perf_hooks'
import type { HistogramSeries } from '../series/histogram.ts'
import type { LimiterMetrics } from './limiter-metrics.ts'

type Callback = (error: unknown, result?: unknown) => void
export type Call = (this: unknown, key: unknown, callback: Callback, timeWindow?: unknown, max?: unknown) => unknown
type Child = (this: unknown, ...args: unknown[]) => unknown
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

/** Where a method that was put before another keeps it. */
export const kOriginal = Symbol('vitals.original')

/** Times the calls of stores. A store keeps its class and all it does; only its methods tell when they begin and end. */
export class Stores {
  /** What a store failed with last: limiters with `skipOnError` keep it to themselves. */
  lastError: unknown = undefined
  /** How many calls there have been. */
  calls = 0
  readonly #metrics: LimiterMetrics
  readonly #watched = new WeakSet<object>()

  constructor (metrics: LimiterMetrics) {
    this.#metrics = metrics
  }

  /** Watches one store; what cannot be changed (frozen) stays as it is. Says whether it is watched now, and was not before. */
  watch (store: Store, kind: StoreKind): boolean {
    if (this.#watched.has(store) || !Object.isExtensible(store)) return false
    this.#watched.add(store)
    for (const operation of OPERATIONS) {
      const original = store[operation] as Call & { [kOriginal]?: Call } | undefined
      if (typeof original === 'function') store[operation] = this.#timed(original[kOriginal] ?? original, kind, operation)
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
    return true
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
      const startMs = performance.now()
      let isOver = false
      stores.calls++
      return original.call(this, key, (error, result) => {
        if (!isOver) {
          isOver = true
          duration ??= stores.#metrics.storeDuration.with({ store: kind, operation })
          duration.observe((performance.now() - startMs) / 1_000)
          if (error) stores.lastError = error
        }
        callback(error, result)
      }, timeWindow, max)
    }
  }
}
