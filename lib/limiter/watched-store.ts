import { performance } from 'node:perf_hooks'
import type { Check } from './check.ts'
import { knowStore } from './learn-stores.ts'
import type { Store, StoreCallback, StoreOperation, StoreTimes } from './stores.ts'

/** What a limiter's options say of bans: -1 for none. */
export interface BanOptions {
  readonly ban?: unknown
}

/** What a limiter keeps to itself: all that it makes has this for its prototype, with a store of its own or without. */
export interface Component {
  /** Marks the requests on which it has decided. */
  readonly rateLimitRan: symbol
  readonly store: Store
}

/** The check that is about to begin: it takes the store that its limiter looks up first of all. */
export interface Beginning {
  check: Check | undefined
}

const kStore = Symbol('vitals.store')

/**
 * A store as its limiter gets it outside of checks that are seen: to make a store for a route, or to read. The store itself
 * stays as it is, and is called as it was.
 */
export class WatchedStore {
  readonly store: Store
  readonly options: BanOptions
  readonly times: StoreTimes
  readonly #onUnseen: () => void

  /** `onUnseen` is told of checks that nobody sees begin. */
  constructor (store: Store, options: BanOptions, times: StoreTimes, onUnseen: () => void) {
    this.store = store
    this.options = options
    this.times = times
    this.#onUnseen = onUnseen
    knowStore(store)
  }

  get incr (): Store['incr'] {
    return this.#timed('incr', this.#onUnseen)
  }

  get read (): Store['read'] {
    return this.#timed('read')
  }

  get child (): Store['child'] {
    const { store, times } = this
    const onUnseen = this.#onUnseen
    if (typeof store.child !== 'function') return store.child
    return (...args) => {
      const made = store.child!(...args)
      return typeof made === 'object' && made !== null ? new WatchedStore(made, args[0] as BanOptions, times, onUnseen) : made
    }
  }

  #timed (operation: StoreOperation, onCall?: () => void): Store[StoreOperation] {
    const { store, times } = this
    if (typeof store[operation] !== 'function') return store[operation]
    return (key, callback, timeWindow, max) => {
      onCall?.()
      const startMs = performance.now()
      const answer: StoreCallback = (error, result) => {
        times[operation]((performance.now() - startMs) / 1_000)
        callback(error, result)
      }
      return store[operation]!(key, answer, timeWindow, max)
    }
  }
}

/** Stands between a limiter and its stores: its own and those that it makes from now on. */
export function watchStoresOf (component: Component, options: BanOptions, times: StoreTimes, beginning: Beginning, onUnseen: () => void): void {
  const own = component as Component & { [kStore]?: unknown }
  own[kStore] = new WatchedStore(component.store, options, times, onUnseen)
  Object.defineProperty(component, 'store', {
    configurable: true,
    enumerable: true,
    get (this: typeof own) {
      const store = this[kStore]
      const { check } = beginning
      if (check === undefined) return store
      beginning.check = undefined
      return check.take(store)
    },
    set (this: typeof own, store: unknown) { this[kStore] = store }
  })
}
