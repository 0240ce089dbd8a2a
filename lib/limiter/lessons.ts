import { performance } from 'node:perf_hooks'
import { findStoreClasses } from './store-classes.ts'
import type { StorePrototype } from './store-classes.ts'
import type { Store, StoreKind, Stores } from './stores.ts'

/** A call of a store of which nobody knows whose it is. */
interface Call {
  readonly store: Store
  readonly kind: StoreKind
  readonly max: number
  current: number | undefined
  seconds: number | undefined
  /** Who counts the call once it has ended. */
  claimant: Stores | undefined
}

/** One check, and the calls that began while it lasted. */
export interface Lesson {
  readonly stores: Stores
  readonly calls: Call[]
}

/** What a check told of the quota. */
interface Told {
  readonly limit?: number | undefined
  readonly remaining?: number | undefined
}

/** Calls that are kept of a store until it is known whose it is. */
const MOST_CALLS = 100

const underWay = new Set<Lesson>()
const unclaimed = new WeakMap<Store, Call[]>()
const restores = new Map<StorePrototype, () => void>()
let users = 0

/**
 * A limiter that was there before us has its store already, so that is learnt from what it does: a store is a limiter's
 * if it was the only one called during a check, and counted what the check then told. Asynchronous context would tell
 * at once, but makes every promise of the process slower on Node 20 and 22, for ever. Returns what ends it.
 */
export function openLessons (): () => void {
  users++
  for (const [prototype, kind] of findStoreClasses()) if (!restores.has(prototype)) listen(prototype, kind)
  return () => {
    if (--users > 0) return
    for (const restore of restores.values()) restore()
    restores.clear()
  }
}

export function beginLesson (stores: Stores): Lesson {
  const lesson = { stores, calls: [] }
  underWay.add(lesson)
  return lesson
}

/** Ends a lesson. A store that it teaches is watched from now on, and its calls until now are counted. */
export function endLesson (lesson: Lesson, told: Told, hasDecided: boolean): 'learnt' | 'no call' | 'unclear' {
  underWay.delete(lesson)
  const { stores, calls } = lesson
  if (calls.length === 0) return 'no call'
  if (calls.some(({ store }) => stores.has(store))) return 'learnt'
  if ([...underWay].some(other => other.stores !== stores)) return 'unclear'
  const matching = hasDecided ? calls.filter(call => isOf(call, told)) : []
  const made = new Set(matching.map(({ store }) => store))
  if (made.size !== 1) return 'unclear'
  const [{ store, kind }] = matching as [Call]
  stores.watch(store, kind)
  for (const call of unclaimed.get(store)!) {
    if (call.seconds === undefined) call.claimant = stores
    else stores.observe(kind, 'incr', call.seconds)
  }
  unclaimed.delete(store)
  return 'learnt'
}

function isOf ({ max, current }: Call, { limit = max, remaining }: Told): boolean {
  if (current === undefined || limit !== max) return false
  return remaining === undefined || remaining === Math.max(0, max - current)
}

function listen (prototype: StorePrototype, kind: StoreKind): void {
  const original = prototype.incr
  prototype.incr = function (key, callback, timeWindow, max) {
    if (underWay.size === 0) return original.call(this, key, callback, timeWindow, max)
    const call: Call = { store: this as Store, kind, max: max as number, current: undefined, seconds: undefined, claimant: undefined }
    note(call)
    const startMs = performance.now()
    return original.call(this, key, (error, result) => {
      call.seconds = (performance.now() - startMs) / 1_000
      call.current = (result as { current?: number } | null | undefined)?.current
      call.claimant?.observe(kind, 'incr', call.seconds)
      callback(error, result)
    }, timeWindow, max)
  }
  restores.set(prototype, () => { prototype.incr = original })
}

function note (call: Call): void {
  for (const { calls } of underWay) calls.push(call)
  // A store that is watched calls this as its original.
  if (Object.hasOwn(call.store, 'incr')) return
  const calls = unclaimed.get(call.store) ?? []
  if (calls.length < MOST_CALLS) calls.push(call)
  unclaimed.set(call.store, calls)
}
