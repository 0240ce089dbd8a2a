import { performance } from 'node:perf_hooks'
import type { DbClient } from './db-client.ts'
import { replaceMethod } from '../wrap-method.ts'

/** In what pools differ. */
export interface CheckoutForm {
  /** The methods that run a statement on a connection of the pool, which they ask for at once. */
  readonly runs: readonly string[]
  /** Whether they return before they ask, in the same turn. @default false */
  readonly asksAfter?: boolean
  /** The method that gives a connection: to a callback, or as a promise. */
  readonly checkout: string
  /** Whether the pool calls `checkout` with the same callback again, where a connection was lost while others waited. @default false */
  readonly asksAgain?: boolean
  /** The text of what a run is given first. */
  textOf (given: unknown): unknown
  /** The error type of a pool's own errors, which have no code. */
  errorTypeOf (error: unknown): string | undefined
  /** Whether the wait took too long. */
  isTimeout (error: unknown): boolean
}

/** Who observes a callback already: several stores may watch one pool. Cheaper than a WeakSet. */
const kObservers = Symbol('observers')

interface Callback {
  (this: unknown, ...given: unknown[]): unknown
  [kObservers]?: readonly object[]
}

/** Whose `then()` costs less than `queueMicrotask()`, which in Node makes an AsyncResource each time. */
const NOW = Promise.resolve()

/** No run of the pool is asking for a connection. */
const NOTHING = Symbol('nothing')

/** Whether an object has a method that was taken off something else by `bind()`. */
export function isTaken (holder: object, name: string): boolean {
  const method = Object.getOwnPropertyDescriptor(holder, name)?.value as unknown
  return typeof method === 'function' && method.name.startsWith('bound ')
}

/** Where else than on the pool its methods are called. */
export interface CheckoutPlaces {
  /** What runs statements on connections of the pool. @default the pool */
  readonly runner?: object
  /** What holds methods that were taken off the pool before it was observed. */
  readonly copy?: object | undefined
}

/**
 * Times each checkout of a pool, observes the connections that come, and counts statements that never got to one; returns how to leave
 * all of them as they were. A hot path, measured in bench.
 */
export function observeCheckouts (pool: object, db: DbClient, form: CheckoutForm, observe: (connection: object) => void, { runner = pool, copy }: CheckoutPlaces = {}): () => void {
  const alone = [db]
  /** What a run was given, until it asks for a connection. */
  let asking: unknown = NOTHING
  /** Whether a copy of the method is called, which may call that of the pool. */
  let isTimed = false
  const forget = (): void => { asking = NOTHING }
  const observeRun = (holder: object, name: string): () => void => replaceMethod(holder, name, original => form.asksAfter === true
    ? function (...args) {
      asking = args[0]
      NOW.then(forget)
      return Reflect.apply(original, this, args)
    }
    : function (...args) {
      asking = args[0]
      try {
        return Reflect.apply(original, this, args)
      } finally {
        asking = NOTHING
      }
    })
  const succeeded = (startedMs: number, connection: unknown): number => {
    // A pool may have taken an error for none.
    if (connection) observe(connection)
    return db.connected(startedMs)
  }
  const failed = (asked: unknown, startedMs: number, error: unknown): void => {
    if (form.isTimeout(error)) db.connectionTimedOut()
    if (asked !== NOTHING) db.statement(form.textOf(asked)).row.failed(startedMs, error, form.errorTypeOf(error))
  }
  const observeCheckout = (holder: object): () => void => replaceMethod(holder, form.checkout, (original, replacement) => function (...args) {
    const callback = args[0] as Callback | undefined
    if (!replacement.isOn || isTimed || (typeof callback === 'function' && callback[kObservers]?.includes(db) === true)) return Reflect.apply(original, this, args)
    const asked = asking
    asking = NOTHING
    const startedMs = performance.now()
    try {
      if (typeof callback === 'function') return original.call(this, observed(callback, asked, startedMs))
      // mysql2 returns nothing, and throws later, where it is given no callback.
      return (Reflect.apply(original, this, args) as Promise<unknown> | undefined)?.then(connection => {
        succeeded(startedMs, connection)
        return connection
      }, error => {
        failed(asked, startedMs, error)
        throw error
      })
    } catch (error) {
      failed(asked, startedMs, error)
      throw error
    }
  })
  /** Under the observer of a copy: what its method calls in turn is not timed again. */
  const markTimed = (holder: object): () => void => replaceMethod(holder, form.checkout, original => function (...args) {
    isTimed = true
    try {
      return Reflect.apply(original, this, args)
    } finally {
      isTimed = false
    }
  })

  function observed (callback: Callback, asked: unknown, startedMs: number): Callback {
    const ours: Callback = function (...given) {
      if (given[0]) {
        failed(asked, startedMs, given[0])
        return Reflect.apply(callback, this, given)
      }
      const connectedMs = succeeded(startedMs, given[1])
      if (asked === NOTHING) return Reflect.apply(callback, this, given)
      // The pool's own callback, which does nothing but send the statement.
      db.handedOverMs = connectedMs
      try {
        return Reflect.apply(callback, this, given)
      } finally {
        db.handedOverMs = 0
      }
    }
    if (form.asksAgain === true) ours[kObservers] = callback[kObservers] === undefined ? alone : [...callback[kObservers], db]
    return ours
  }

  const restores = [...form.runs.map(name => observeRun(runner, name)), observeCheckout(pool)]
  if (copy !== undefined) restores.push(...form.runs.filter(name => isTaken(copy, name)).map(name => observeRun(copy, name)), markTimed(copy), observeCheckout(copy))
  return () => { for (const restore of restores.toReversed()) restore() }
}
