import { performance } from 'node:perf_hooks'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CheckRecorder } from './check-recorder.ts'
import { Check } from './check.ts'
import type { ShownHeaders } from './check.ts'
import { beginLesson, endLesson } from './lessons.ts'
import { seeStoresMade } from './store-births.ts'
import { findStoreClasses } from './store-classes.ts'
import type { Stores } from './stores.ts'

/** What `rateLimit()` and routes have: decides by headers and errors. */
export type LimitHandler = (this: unknown, request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** What `createRateLimit()` gives: decides by what it returns. */
export type LimitFunction = (this: unknown, request: FastifyRequest, ...options: unknown[]) => Promise<Verdict>

/** What a {@link LimitFunction} returns, as far as it is needed here. */
export interface Verdict {
  readonly isAllowed: boolean
  readonly isExceeded?: boolean
  readonly isBanned?: boolean
  readonly max?: number
  readonly remaining?: number
  readonly ttl?: number
}

/** What a limiter that was there before us may hide of a request's check; asked where headers do not tell. */
export interface Hidden {
  /** That it allowed. */
  readonly allowed: boolean
  /** That it refused. */
  readonly refused: boolean
}

type Marks = Record<symbol, unknown>

/** Marks of a request by which a limiter knows that it has decided on it. */
const RAN = 'fastify.request.rateLimitRan'

/** A limiter that lets everybody pass never calls its store: at some time it is no longer waited for. */
const MOST_LESSONS = 1_000

/** Puts a watch on the functions of limiters: it does what they do, and sees what they decide. */
export class LimiterWatch {
  readonly stores: Stores
  /** Requests that were banned, from `onBanReach` until they are recorded. */
  readonly banned = new WeakSet<object>()
  readonly #checks: CheckRecorder
  readonly #warn: (message: string) => void
  #hasWarned = false

  constructor (checks: CheckRecorder, stores: Stores, warn: (message: string) => void) {
    this.#checks = checks
    this.stores = stores
    this.#warn = warn
  }

  /**
   * The handler of a limiter. `hiddenOf` says what its headers may not tell, `undefined` is nothing; `mustLearn` that its
   * store was made before us.
   */
  handler (original: LimitHandler, shown: ShownHeaders | undefined, hiddenOf: (request: FastifyRequest) => Hidden | undefined, mustLearn: boolean): LimitHandler {
    const watch = this
    let ran: symbol | undefined
    let lessonsLeft = mustLearn ? MOST_LESSONS : 0
    return function (request, reply) {
      const marks = request as unknown as Marks
      // It has decided on this request already, in another hook or on the GET route that a HEAD route was made from.
      if (ran !== undefined && marks[ran] === true) return original.call(this, request, reply)
      const unset = ran === undefined ? unsetMarksOf(request) : undefined
      if (unset?.length === 0) return original.call(this, request, reply)
      const lesson = lessonsLeft > 0 ? beginLesson(watch.stores) : undefined
      const check = new Check(reply, shown)
      const startMs = performance.now()
      const { stores } = watch
      stores.beganMs = startMs
      const outcome = original.call(this, request, check as unknown as FastifyReply)
      const { endedMs } = stores
      stores.beganMs = stores.endedMs = 0
      if (unset !== undefined) ran = unset.find(mark => marks[mark] === true)
      const isCheck = ran !== undefined
      outcome.then(() => {
        check.release()
        if (lesson !== undefined) lessonsLeft = watch.#lessonsAfter(endLesson(lesson, check, check.hasDecided || hiddenOf(request)?.allowed === true), check.hasDecided, lessonsLeft)
        if (isCheck) watch.#settled(request, check, secondsBetween(startMs, endedMs), hiddenOf)
      }, error => {
        check.release()
        if (lesson !== undefined) lessonsLeft = watch.#lessonsAfter(endLesson(lesson, check, check.hasDecided || hiddenOf(request)?.allowed === true), check.hasDecided, lessonsLeft)
        if (isCheck) watch.#threw(request, check, secondsBetween(startMs, endedMs), hiddenOf, error)
      })
      return outcome
    }
  }

  /** A function of `createRateLimit()`; see {@link LimiterWatch.handler}. */
  limit (original: LimitFunction, mustLearn: boolean): LimitFunction {
    const watch = this
    let lessonsLeft = mustLearn ? MOST_LESSONS : 0
    return function (...args) {
      const [request, options] = args
      // A peek takes nothing from a quota and decides nothing.
      if ((options as { increment?: unknown } | undefined)?.increment === false) return original.apply(this, args)
      const lesson = lessonsLeft > 0 ? beginLesson(watch.stores) : undefined
      const startMs = performance.now()
      const outcome = original.apply(this, args)
      outcome.then(verdict => {
        const { isAllowed, max: limit, remaining } = verdict
        if (lesson !== undefined) lessonsLeft = watch.#lessonsAfter(endLesson(lesson, { limit, remaining }, !isAllowed), !isAllowed, lessonsLeft)
        watch.#decided(request, verdict, secondsBetween(startMs, 0))
      }, error => {
        if (lesson !== undefined) endLesson(lesson, {}, false)
        watch.#checks.failed(request, secondsBetween(startMs, 0), error)
      })
      return outcome
    }
  }

  /** Makes a function of `createRateLimit()` that is watched together with its store. */
  made (make: () => LimitFunction): LimitFunction {
    findStoreClasses()
    return this.limit(seeStoresMade(make, (store, kind) => this.stores.watch(store, kind)), false)
  }

  /** A limiter was registered or found whose store cannot be seen. */
  missesStore (): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    this.#warn('A store of @fastify/rate-limit cannot be timed: rate_limit_store_duration_seconds lacks it. It is one of the application\'s own and was made before fastify-vitals was registered (register that first), or the limiter is part of a bundle')
  }

  #settled (request: FastifyRequest, check: Check, seconds: number, hiddenOf: (request: FastifyRequest) => Hidden | undefined): void {
    if (!check.hasDecided) {
      if (hiddenOf(request)?.allowed === true) this.#checks.allowed(request, seconds, undefined, undefined)
      else this.#checks.bypassed(request, seconds)
    } else if (isUncounted(check.reset, check.remaining, check.limit)) {
      this.#checks.failed(request, seconds, this.stores.lastError)
    } else {
      this.#checks.allowed(request, seconds, check.remaining, check.limit)
    }
  }

  #threw (request: FastifyRequest, check: Check, seconds: number, hiddenOf: (request: FastifyRequest) => Hidden | undefined, error: unknown): void {
    const { remaining, limit, hasDecided } = check
    if (check.isRefused || isHiddenRefusal(check, hiddenOf(request), error)) {
      const isBanned = this.banned.delete(request) || statusOf(error) === 403
      this.#checks.rejected(request, seconds, isBanned ? 'banned' : 'exceeded', limit)
    } else if (hasDecided) {
      // It was within its quota; what threw is the application's own onExceeding.
      this.#checks.allowed(request, seconds, remaining, limit)
    } else {
      this.#checks.failed(request, seconds, error)
    }
  }

  #decided (request: FastifyRequest, { isAllowed, isExceeded, isBanned, max, remaining, ttl }: Verdict, seconds: number): void {
    if (isAllowed) this.#checks.bypassed(request, seconds)
    else if (isExceeded === true) this.#checks.rejected(request, seconds, isBanned === true ? 'banned' : 'exceeded', max)
    else if (isUncounted(ttl, remaining, max)) this.#checks.failed(request, seconds, this.stores.lastError)
    else this.#checks.allowed(request, seconds, remaining, max)
  }

  /** How many lessons are to follow one that ended so. */
  #lessonsAfter (end: ReturnType<typeof endLesson>, hasDecided: boolean, lessonsLeft: number): number {
    if (end === 'learnt') return 0
    if (end === 'unclear' || !hasDecided) return lessonsLeft - 1
    this.missesStore()
    return 0
  }
}

/** An end of 0 is now. */
function secondsBetween (startMs: number, endMs: number): number {
  return ((endMs > 0 ? endMs : performance.now()) - startMs) / 1_000
}

/** A store that failed and was skipped counts nothing: no store that works leaves all of the quota, and no window, after a check. */
function isUncounted (reset: number | undefined, remaining: number | undefined, limit: number | undefined): boolean {
  return reset === 0 && remaining !== undefined && remaining === limit
}

/** Of a limiter that does not show when to come back: by the headers of a used-up quota, or else by its error. */
function isHiddenRefusal ({ hasDecided, remaining = 0 }: Check, hidden: Hidden | undefined, error: unknown): boolean {
  if (hidden === undefined) return false
  if (hasDecided) return hidden.refused && remaining === 0
  return statusOf(error) === 429 || (hidden.refused && typeof statusOf(error) === 'number')
}

function unsetMarksOf (request: FastifyRequest): symbol[] {
  return Object.getOwnPropertySymbols(request).filter(mark => mark.description === RAN && (request as unknown as Marks)[mark] === false)
}

function statusOf (error: unknown): unknown {
  return (error as { statusCode?: unknown } | null | undefined)?.statusCode
}
