import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire } from 'node:module'
import type { Call, Store, StoreKind, Stores } from './stores.ts'
import { kOriginal } from './stores.ts'

/** A check during which the store of a limiter is to be found. */
export interface Lesson {
  readonly stores: Stores
  readonly callsBefore: number
}

type Prototype = Store & Required<Pick<Store, 'incr' | 'child'>>

const KIND_OF: Readonly<Record<string, StoreKind>> = { LocalStore: 'local', RedisStore: 'redis' }
const STORE_FILE = /[\\/]store[\\/](?:Local|Redis)Store\.js$/

/**
 * A limiter keeps its store to itself, so it is found while it works: the first checks of each limiter run in a context
 * that its store's class asks for. Classes are those that any copy of @fastify/rate-limit in the process has loaded.
 * Once a store is found it is watched by itself, and the context (dear on Node 20 and 22) is over.
 */
const lessons = new AsyncLocalStorage<Lesson>()
let lessonsUnderWay = 0
let users = 0
const restores: (() => void)[] = []

/** Puts the question before the methods of the classes that are loaded now; returns what takes it away again. */
export function openSchool (): () => void {
  users++
  for (const { prototype, kind } of loadedClasses()) ask(prototype, kind)
  return () => {
    if (--users === 0) for (const restore of restores.splice(0)) restore()
  }
}

/** Runs the beginning of a check as a lesson. */
export function runLesson<T> (stores: Stores, run: () => T): { lesson: Lesson, result: T } {
  const lesson = { stores, callsBefore: stores.calls }
  lessonsUnderWay++
  return { lesson, result: lessons.run(lesson, run) }
}

/** Ends a lesson; says whether the check has called a store that is watched. */
export function endLesson ({ stores, callsBefore }: Lesson): boolean {
  if (--lessonsUnderWay === 0) lessons.disable()
  return stores.calls > callsBefore
}

function ask (prototype: Prototype, kind: StoreKind): void {
  const original = prototype.incr
  if (kOriginal in original) return
  const asking: Call & { [kOriginal]?: Call } = function (this: unknown, key, callback, timeWindow, max) {
    const store = this as Prototype
    const isFound = lessons.getStore()?.stores.watch(store, kind) === true
    return (isFound ? store.incr : original).call(store, key, callback, timeWindow, max)
  }
  asking[kOriginal] = original
  prototype.incr = asking
  restores.push(() => { prototype.incr = original })
}

function loadedClasses (): { prototype: Prototype, kind: StoreKind }[] {
  const found: { prototype: Prototype, kind: StoreKind }[] = []
  for (const [file, module] of Object.entries(createRequire(import.meta.url).cache)) {
    if (!STORE_FILE.test(file)) continue
    const Class = module!.exports as { readonly name?: string, readonly prototype?: Partial<Prototype> } | undefined
    const kind = KIND_OF[Class?.name ?? '']
    if (kind !== undefined && Class?.prototype?.incr?.length === 4 && Class.prototype.child?.length === 1) found.push({ prototype: Class.prototype as Prototype, kind })
  }
  return found
}
