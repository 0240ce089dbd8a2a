import { performance } from 'node:perf_hooks'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CheckRecorder } from './check-recorder.ts'
import { Check } from './check.ts'
import type { ShownHeaders } from './check.ts'
import { endLesson, learnDuring } from './learn-stores.ts'
import type { Lesson } from './learn-stores.ts'
import { ownLimitOf } from './route-hook.ts'
import type { Store, Stores } from './stores.ts'
import { replace } from './stores.ts'
import type { Hidden, WatchedLimiter } from './watched-limiter.ts'

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

type Marks = Record<symbol, unknown>

/** A limiter that lets everybody pass never calls its store: at some time it is no longer waited for. */
const MOST_LESSONS = 1_000

/** Puts a watch on the functions of limiters: they do what they did, and what they decide is seen. */
export class LimiterWatch {
  readonly stores: Stores
  /** Requests that were banned, from `onBanReach` until they are recorded. */
  readonly banned = new WeakSet<object>()
  readonly #checks: CheckRecorder
  readonly #warn: (message: string) => void
  readonly #warned = new Set<string>()

  constructor (checks: CheckRecorder, stores: Stores, warn: (message: string) => void) {
    this.#checks = checks
    this.stores = stores
    this.#warn = warn
  }

  /** The handler of a limiter. */
  handler (original: LimitHandler, limiter: WatchedLimiter, shown: ShownHeaders | undefined, hidden: Hidden | undefined): LimitHandler {
    const watch = this
    const { stores } = this
    const { ran } = limiter
    return function (request, reply) {
      // It has decided on this request already, in another hook or on the GET route that a HEAD route was made from.
      if ((request as unknown as Marks)[ran] === true) return original.call(this, request, reply)
      const check = new Check(reply, shown)
      limiter.checksUnderWay++
      const startMs = stores.beganMs = performance.now()
      const outcome = original.call(this, request, check as unknown as FastifyReply)
      const { endedMs } = stores
      stores.beganMs = stores.endedMs = 0
      outcome.then(() => watch.#settled(request, check, limiter, secondsBetween(startMs, endedMs), hidden), error => watch.#threw(request, check, limiter, secondsBetween(startMs, endedMs), hidden, error))
      return outcome
    }
  }

  /** A handler that was made before us: whose it is, its store and what it hides is learnt from its first checks. */
  earlierHandler (original: LimitHandler, limiters: readonly WatchedLimiter[]): LimitHandler {
    const watch = this
    const { stores } = this
    let candidates = limiters
    let hidesAllowed = false
    let lessonsLeft = MOST_LESSONS
    return function (request, reply) {
      const undecided = candidates.filter(({ ran }) => (request as unknown as Marks)[ran] !== true)
      if (undecided.length === 0) return original.call(this, request, reply)
      const check = new Check(reply, undefined)
      const call = (): Promise<void> => original.call(this, request, check as unknown as FastifyReply)
      const lesson: Lesson | undefined = lessonsLeft > 0 ? { stores, store: undefined } : undefined
      for (const limiter of undecided) limiter.checksUnderWay++
      const startMs = stores.beganMs = performance.now()
      const outcome = lesson === undefined ? call() : learnDuring(lesson, call)
      const { endedMs } = stores
      stores.beganMs = stores.endedMs = 0
      // Each of them marks the requests on which it decides, and does so at once.
      const limiter = undecided.find(({ ran }) => (request as unknown as Marks)[ran] === true)
      for (const other of undecided) if (other !== limiter) other.checksUnderWay--
      if (limiter === undefined) {
        if (lesson !== undefined) endLesson()
        return outcome
      }
      candidates = [limiter]
      const learn = (isFulfilled: boolean): Hidden => {
        const { routeOptions: { config, url } } = request
        const own = ownLimitOf(config)
        const hidden = limiter.hiddenAt(own)
        if (lesson !== undefined) {
          endLesson()
          lessonsLeft--
          if (isFulfilled && (lesson.store !== undefined || check.hasDecided)) {
            lessonsLeft = 0
            hidesAllowed = !check.hasDecided
            if (lesson.store !== 'watched') watch.missesStore(limiter)
            watch.#tellOfEarlierRoute(url, own, limiter, hidesAllowed && !hidden.allowed)
          }
        }
        return { allowed: hidden.allowed || hidesAllowed, refused: hidden.refused }
      }
      outcome.then(() => watch.#settled(request, check, limiter, secondsBetween(startMs, endedMs), learn(true)), error => watch.#threw(request, check, limiter, secondsBetween(startMs, endedMs), learn(false), error))
      return outcome
    }
  }

  /** A function of `createRateLimit()`. */
  limit (original: LimitFunction, limiter: WatchedLimiter): LimitFunction {
    const watch = this
    return function (...args) {
      const [request, options] = args
      // A peek takes nothing from a quota and decides nothing.
      if ((options as { increment?: unknown } | undefined)?.increment === false) return original.apply(this, args)
      limiter.checksUnderWay++
      const startMs = performance.now()
      const outcome = original.apply(this, args)
      outcome.then(verdict => {
        limiter.checksUnderWay--
        watch.#decided(request, verdict, secondsBetween(startMs, 0))
      }, error => {
        limiter.checksUnderWay--
        watch.#checks.failed(request, secondsBetween(startMs, 0), error)
      })
      return outcome
    }
  }

  /** There is a limiter that could not be opened. */
  missesLimiter (): void {
    this.#warnOnce('A limiter of @fastify/rate-limit is not counted: it is of a version that fastify-vitals does not know')
  }

  /** A limiter has a store that cannot be watched. */
  missesStore ({ where }: WatchedLimiter): void {
    this.#warnOnce(`A store of the limiter of ${where} cannot be timed: rate_limit_store_duration_seconds lacks it. It cannot be changed, or was made before fastify-vitals was registered (register that first)`)
  }

  /** A limiter was there before us: what that costs of its series. What it has made before shows when its store is called. */
  tellOfFound (limiter: WatchedLimiter, store: Store): void {
    const { where } = limiter
    if (limiter.hidesHeaders) {
      this.#warnOnce(`The limiter of ${where} was registered before fastify-vitals with headers switched off: what they tell is missing for routes without a limit of their own. Register fastify-vitals first`)
    }
    const { incr } = store
    if (incr === undefined || !Object.isExtensible(store)) return
    const watch = this
    replace(store, 'incr', function (this: unknown, ...args: Parameters<typeof incr>) {
      if (limiter.checksUnderWay === 0) {
        watch.#warnOnce(`The limiter of ${where} makes checks that are not counted: by createRateLimit(), by rateLimit() in a 404 handler, or by a handler that another plugin has wrapped, all from before fastify-vitals was registered. Register that first`)
        replace(store, 'incr', incr)
      }
      return incr.apply(this, args)
    })
  }

  #tellOfEarlierRoute (url: string | undefined, own: ReturnType<typeof ownLimitOf>, limiter: WatchedLimiter, hidesUnasked: boolean): void {
    const route = url === undefined ? 'A 404 handler' : `Route ${url}`
    if (hidesUnasked || (own !== undefined && limiter.hidesHeadersAt(own))) {
      this.#warnOnce(`${route} has a limit with headers switched off and was declared before fastify-vitals was registered: what they tell is missing. Register fastify-vitals first`)
    }
    if (own !== undefined && limiter.bansSilentlyAt(own)) {
      this.#warnOnce(`${route} bans, has errors of its own and was declared before fastify-vitals was registered: of its refusals, only those with statusCode 403 count as banned. Register fastify-vitals first`)
    }
  }

  #warnOnce (message: string): void {
    if (this.#warned.has(message)) return
    this.#warned.add(message)
    this.#warn(message)
  }

  #settled (request: FastifyRequest, check: Check, limiter: WatchedLimiter, seconds: number, hidden: Hidden | undefined): void {
    limiter.checksUnderWay--
    check.release()
    if (!check.hasDecided) {
      if (hidden?.allowed === true) this.#checks.allowed(request, seconds, undefined, undefined)
      else this.#checks.bypassed(request, seconds)
    } else if (isUncounted(check.reset, check.remaining, check.limit)) {
      this.#checks.failed(request, seconds, this.stores.lastError)
    } else {
      this.#checks.allowed(request, seconds, check.remaining, check.limit)
    }
  }

  #threw (request: FastifyRequest, check: Check, limiter: WatchedLimiter, seconds: number, hidden: Hidden | undefined, error: unknown): void {
    limiter.checksUnderWay--
    check.release()
    const { remaining, limit, hasDecided } = check
    if (check.isRefused || isHiddenRefusal(check, hidden, error)) {
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

function statusOf (error: unknown): unknown {
  return (error as { statusCode?: unknown } | null | undefined)?.statusCode
}
