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

/** What counts is of a class, by which its instances and those of its subclasses are heard. */
interface Listened {
  readonly listeners: Set<() => void>
  readonly original: Call
  readonly listening: Call
}

type StorePrototype = { incr: Call }

const current = new AsyncLocalStorage<Lesson>()
const listened = new Map<StorePrototype, Listened>()
/** Stores that a limiter of ours has: those that were found, and those that were made under our eyes. */
const known = new WeakMap<object, LearntStore | undefined>()
let lessonsUnderWay = 0

/** Notes a store that needs no lesson. */
export function knowStore (store: Store): void {
  if (!known.has(store)) known.set(store, undefined)
}

/**
 * A limiter that was there before us has made stores for the routes that have a limit of their own, and shows them to
 * nobody: a store is found when it is first called within a check. While stores are listened to that count as this one does, their
 * `incr` says so, and calls `onUnknown` for one that is called otherwise. Returns what ends it; `undefined` where the class
 * cannot be listened to.
 */
export function listenToStores (store: Store, onUnknown: () => void): (() => void) | undefined {
  const prototype = prototypeOf(store)
  if (prototype === undefined) return undefined
  const entry = listened.get(prototype) ?? listen(prototype)
  entry.listeners.add(onUnknown)
  return () => {
    entry.listeners.delete(onUnknown)
    // Somebody else may have wrapped it since.
    if (entry.listeners.size > 0 || prototype.incr !== entry.listening) return
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

/** Whose `incr` a store inherits; `undefined` where it cannot be listened to. */
function prototypeOf (store: Store): StorePrototype | undefined {
  let prototype: object | null = Object.getPrototypeOf(store) as object | null
  while (prototype !== null && !Object.hasOwn(prototype, 'incr')) prototype = Object.getPrototypeOf(prototype) as object | null
  const { value, writable } = (prototype === null ? undefined : Object.getOwnPropertyDescriptor(prototype, 'incr')) ?? {}
  return typeof value === 'function' && writable === true ? prototype as StorePrototype : undefined
}

function listen (prototype: StorePrototype): Listened {
  const listeners = new Set<() => void>()
  const { incr: original } = prototype
  const listening: Call = function (...args) {
    const store = this as Store
    if (known.has(store)) return original.apply(this, args)
    const lesson = currentLesson()
    if (lesson === undefined) {
      for (const tell of listeners) tell()
      return original.apply(this, args)
    }
    return learn(lesson, store, original, listening).apply(this, args)
  }
  const entry = { listeners, original, listening }
  listened.set(prototype, entry)
  prototype.incr = listening
  return entry
}

/** Times a store from now on; returns what does the call in which it was found. */
function learn (lesson: Lesson, store: Store, original: Call, listening: Call): Call {
  const learnt: LearntStore = { lastError: undefined, isTimed: isOpen(store) }
  known.set(store, learnt)
  lesson.store = learnt
  if (!learnt.isTimed) return original
  const times = lesson.timesOf(store)
  const timed = (call: Call): Call => function (this: unknown, key, callback, timeWindow, max) {
    const lesson = currentLesson()
    if (lesson !== undefined) lesson.store = learnt
    const startMs = performance.now()
    return call.call(this, key, (error, result) => {
      times.incr((performance.now() - startMs) / 1_000)
      if (error) learnt.lastError = error
      callback(error, result)
    }, timeWindow, max)
  }
  // A subclass may add to what its class does.
  const incr = store.incr!
  // Neither its class nor a list of its properties shows it.
  Object.defineProperty(store, 'incr', { value: timed(incr === listening ? original : incr), configurable: true, writable: true })
  return timed(original)
}

function isOpen (store: Store): boolean {
  return Object.isExtensible(store) && Object.getOwnPropertyDescriptor(store, 'incr')?.configurable !== false
}

function currentLesson (): Lesson | undefined {
  return lessonsUnderWay > 0 ? current.getStore() : undefined
}
