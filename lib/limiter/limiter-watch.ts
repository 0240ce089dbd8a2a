import { performance } from 'node:perf_hooks'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CheckRecorder } from './check-recorder.ts'
import { Check } from './check.ts'
import type { Store } from './stores.ts'
import { kindOf, StoreTimes } from './stores.ts'
import type { WatchedLimiter } from './watched-limiter.ts'

/** What `rateLimit()` and routes have: decides by headers and errors. */
export type LimitHandler = (this: unknown, request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** What `createRateLimit()` gives: decides by what it returns. */
export type LimitFunction = (this: unknown, request: FastifyRequest, ...options: unknown[]) => Promise<unknown>

/** The marks that limiters leave on requests. */
export type Marks = Record<symbol, unknown>

/** Where it is said what is missing. */
export interface LimiterLog {
  info: (message: string) => void
  warn: (message: string) => void
}

/** Puts a watch on the functions of limiters: they do what they did, and what they decide is seen. */
export class LimiterWatch {
  readonly checks: CheckRecorder
  readonly #log: LimiterLog
  readonly #said = new Set<string>()
  readonly #own = new WeakSet<object>()

  constructor (checks: CheckRecorder, log: LimiterLog) {
    this.checks = checks
    this.#log = log
  }

  /** The handler of a limiter. */
  handler (original: LimitHandler, limiter: WatchedLimiter): LimitHandler {
    const watch = this
    const { ran } = limiter
    return this.#noted(function (request, reply) {
      // It has decided on this request already, in another hook or on the GET route that a HEAD route was made from.
      if ((request as unknown as Marks)[ran] === true) return original.call(this, request, reply)
      const check = watch.begin(limiter, request)
      const outcome = original.call(this, request, reply)
      watch.begun(limiter, check, outcome)
      return outcome
    })
  }

  /** Whether it is a handler of {@link handler}. */
  isOwn (hook: object): boolean {
    return this.#own.has(hook)
  }

  /** A function of `createRateLimit()`. */
  limit (original: LimitFunction, limiter: WatchedLimiter): LimitFunction {
    const watch = this
    // Version 10 knows no peeks and takes just the request.
    const canPeek = original.length > 1
    return function (...args) {
      const [request, options] = args
      // A peek takes nothing from a quota and decides nothing.
      if (canPeek && (options as { increment?: unknown } | undefined)?.increment === false) return original.apply(this, args)
      const check = watch.begin(limiter, request)
      const outcome = original.apply(this, args)
      watch.begun(limiter, check, outcome)
      return outcome
    }
  }

  /** A check that the limiter takes when it looks up its store. */
  begin (limiter: WatchedLimiter, request: FastifyRequest): Check {
    const check = new Check(this.checks, request, performance.now())
    limiter.beginning.check = check
    return check
  }

  begun (limiter: WatchedLimiter, check: Check, outcome: Promise<unknown>): void {
    limiter.beginning.check = undefined
    if (check.isBegun) check.started(outcome)
    else this.missesLimiter()
  }

  /** There is a limiter that could not be opened. */
  missesLimiter (): void {
    this.#warnOnce('A limiter of @fastify/rate-limit is not counted: it is of a version that fastify-vitals does not know')
  }

  /** A limiter has a store that cannot be watched. */
  missesStore ({ where }: WatchedLimiter): void {
    this.#warnOnce(`A store of the limiter of ${where} cannot be timed: rate_limit_store_duration_seconds lacks it. It cannot be changed and was made before fastify-vitals was registered; nor is it seen what checks a function of createRateLimit() or a hook of another plugin makes with it. Register fastify-vitals first`)
  }

  /** A limiter may have made stores that are not heard when they are called. */
  mayMissStores ({ where }: WatchedLimiter): void {
    this.#log.info(`The limiter of ${where} has a store of the application's own and was registered before fastify-vitals: should its child() make stores of another class, the checks with them of functions of createRateLimit() from before are neither counted nor noticed, nor those of hooks of other plugins that call the limiter late. Register fastify-vitals first`)
  }

  /** A limiter checks where nobody sees it begin or end. */
  missesChecks (limiter: WatchedLimiter): void {
    this.#tellOfChecks(limiter, '')
  }

  /** A hook of another lets a limiter check and does not say when it has ended. */
  missesBypasses ({ where }: WatchedLimiter): void {
    this.#warnOnce(`Of the checks of the limiter of ${where}, those that ask no store, bypassed or failed, are not all counted: a hook of another plugin from before fastify-vitals was registered makes them, and does not wait for them or answers by itself. Register fastify-vitals first`)
  }

  /** A store that nobody knows, of the class that a limiter's have, was called. */
  maybeMissesChecks (limiter: WatchedLimiter): void {
    this.#tellOfChecks(limiter, ', unless it is another application of this process that makes them')
  }

  /** A route that was declared before us has headers switched off. */
  missesHeaders (route: string): void {
    this.#warnOnce(`${route} has a limit with headers switched off and was declared before fastify-vitals was registered: what they tell is missing. Register fastify-vitals first`)
  }

  /** A route that was declared before us bans, and its errors may not tell, for a reason. */
  missesBans (route: string, reason: string): void {
    this.#warnOnce(`${route} bans, ${reason} and was declared before fastify-vitals was registered: of its refusals, only those with statusCode 403 count as banned. Register fastify-vitals first`)
  }

  timesOf (store: Store): StoreTimes {
    return new StoreTimes(this.checks.metrics, kindOf(store))
  }

  #noted (handler: LimitHandler): LimitHandler {
    this.#own.add(handler)
    return handler
  }

  #tellOfChecks (limiter: WatchedLimiter, unless: string): void {
    if (limiter.isToldOf) return
    limiter.isToldOf = true
    this.#warnOnce(`The limiter of ${limiter.where} makes checks that are not counted${unless}: by a function of createRateLimit() from before fastify-vitals was registered, or by a hook of another plugin that calls the limiter late or does not wait for it. Register fastify-vitals first`)
  }

  #warnOnce (message: string): void {
    if (this.#said.has(message)) return
    this.#said.add(message)
    this.#log.warn(message)
  }
}
