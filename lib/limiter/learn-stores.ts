import { AsyncLocalStorage } from 'node:async_hooks'
import type { Call, Store, Stores } from './stores.ts'

/** A check during which the limiter's store is looked for. */
export interface Lesson {
  readonly stores: Stores
  /** The store that was called: watched from now on, or closed to that; `undefined` where none was seen. */
  store: 'watched' | 'closed' | undefined
}

type StorePrototype = { incr?: Call }

const current = new AsyncLocalStorage<Lesson>()
const listened = new Map<StorePrototype, { users: number, readonly original: Call }>()
let lessonsUnderWay = 0

/**
 * A limiter that was there before us has made stores for the routes that have a limit of their own, and shows them to
 * nobody: a store is found when it is first called within a check. While stores of this class are listened to, their
 * `incr` says so; returns what ends it.
 */
export function listenToStores (store: Store): () => void {
  const prototype = Object.getPrototypeOf(store) as StorePrototype
  const known = listened.get(prototype)
  if (known !== undefined) known.users++
  else if (!listen(prototype)) return () => {}
  return () => {
    const entry = listened.get(prototype)!
    if (--entry.users > 0) return
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

function listen (prototype: StorePrototype): boolean {
  const { incr: original } = prototype
  if (typeof original !== 'function' || Object.isFrozen(prototype)) return false
  listened.set(prototype, { users: 1, original })
  prototype.incr = function (...args) {
    const lesson = lessonsUnderWay > 0 ? current.getStore() : undefined
    if (lesson === undefined) return original.apply(this, args)
    const store = this as Store
    const isWatched = Object.hasOwn(store, 'incr')
    lesson.store = isWatched || lesson.stores.watch(store) ? 'watched' : 'closed'
    // A store that is watched calls this as its original.
    return isWatched || lesson.store === 'closed' ? original.apply(this, args) : store.incr!(...args)
  }
  return true
}
