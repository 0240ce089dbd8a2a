import { AsyncLocalStorage } from 'node:async_hooks'
import { performance } from 'node:perf_hooks'
import type { Call, Store, StoreTimes } from './stores.ts'

/** A store that was found when a check called it. */
export interface LearntStore {
  /** What it failed with last: limiters with `skipOnError` keep that to themselves. */
  lastError: unknown
  /** Whether its calls are timed: one that is frozen stays as it is. */
  readonly isTimed: boolean
}

/** A check during which the limiter's store is looked for. */
export interface Lesson {
  readonly timesOf: (store: Store) => StoreTimes
  store: LearntStore | undefined
}

type StorePrototype = { incr?: Call }

const current = new AsyncLocalStorage<Lesson>()
const listened = new Map<StorePrototype, { readonly listeners: Set<() => void>, readonly original: Call }>()
/** Stores that a limiter of ours has: those that were found, and those that were made under our eyes. */
const known = new WeakMap<object, LearntStore | undefined>()
let lessonsUnderWay = 0

/** Notes a store that needs no lesson. */
export function knowStore (store: Store): void {
  if (!known.has(store)) known.set(store, undefined)
}

/**
 * A limiter that was there before us has made stores for the routes that have a limit of their own, and shows them to
 * nobody: a store is found when it is first called within a check. While stores of this class are listened to, their
 * `incr` says so, and calls `onUnknown` for one that is called otherwise. Returns what ends it; `undefined` where the class
 * cannot be listened to.
 */
export function listenToStores (store: Store, onUnknown: () => void): (() => void) | undefined {
  const prototype = Object.getPrototypeOf(store) as StorePrototype
  const entry = listened.get(prototype) ?? listen(prototype)
  if (entry === undefined) return undefined
  entry.listeners.add(onUnknown)
  return () => {
    entry.listeners.delete(onUnknown)
    if (entry.listeners.size > 0 || listened.get(prototype) !== entry) return
    prototype.incr = entry.original
    listened.delete(prototype)
  }
}

/** Runs a check within which stores are looked for; {@link endLesson} when it has ended. */
export function learnDuring<T> (lesson: Lesson, run: () => T): T {
  lessonsUnderWay++
  return current.run(lesson, run)
}

/** Asynchronous context makes every promise slower on Node 20 and 22: it is switched off when nobody learns. */
export function endLesson (): void {
  if (--lessonsUnderWay === 0) current.disable()
}

function listen (prototype: StorePrototype): { readonly listeners: Set<() => void>, readonly original: Call } | undefined {
  const { incr: original } = prototype
  if (typeof original !== 'function' || Object.isFrozen(prototype)) return undefined
  const entry = { listeners: new Set<() => void>(), original }
  listened.set(prototype, entry)
  prototype.incr = function (...args) {
    const store = this as Store
    if (known.has(store)) return original.apply(this, args)
    const lesson = currentLesson()
    if (lesson === undefined) {
      for (const tell of entry.listeners) tell()
      return original.apply(this, args)
    }
    learn(lesson, store, original)
    return store.incr!(...args)
  }
  return entry
}

function learn (lesson: Lesson, store: Store, original: Call): void {
  const learnt: LearntStore = { lastError: undefined, isTimed: Object.isExtensible(store) }
  known.set(store, learnt)
  lesson.store = learnt
  if (!learnt.isTimed) return
  const times = lesson.timesOf(store)
  const incr: Call = function (this: unknown, key, callback, timeWindow, max) {
    const lesson = currentLesson()
    if (lesson !== undefined) lesson.store = learnt
    const startMs = performance.now()
    return original.call(this, key, (error, result) => {
      times.incr((performance.now() - startMs) / 1_000)
      if (error) learnt.lastError = error
      callback(error, result)
    }, timeWindow, max)
  }
  // Neither its class nor a list of its properties shows it.
  Object.defineProperty(store, 'incr', { value: incr, configurable: true, writable: true })
}

function currentLesson (): Lesson | undefined {
  return lessonsUnderWay > 0 ? current.getStore() : undefined
}
