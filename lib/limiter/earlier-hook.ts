import { performance } from 'node:perf_hooks'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { HeaderFacts, noteHeaders } from './header-facts.ts'
import { HookEnding } from './hook-ending.ts'
import { endLesson, learnDuring } from './learn-stores.ts'
import type { LearntStore, Lesson } from './learn-stores.ts'
import type { LimiterWatch, Marks } from './limiter-watch.ts'
import type { LimiterOptions } from './open-limiter.ts'
import { ownLimitOf } from './route-hook.ts'
import type { Hidden, WatchedLimiter } from './watched-limiter.ts'

export type Hook = (this: unknown, request: FastifyRequest, reply: FastifyReply, ...rest: unknown[]) => unknown

/** A hook that has marked no request by then is no limiter's. */
const MOST_CALLS = 100

/** A limiter that lets everybody pass never calls its store: at some time it is no longer waited for. */
const MOST_LESSONS = 1_000

/** What is seen of one call. */
interface Sight {
  readonly request: FastifyRequest
  readonly limiter: WatchedLimiter
  readonly startMs: number
  readonly facts: HeaderFacts
  readonly lesson: Lesson | undefined
}

/**
 * A hook of a route that was declared before us: a limiter's own, one that calls a limiter, or another. Limiters mark the
 * requests on which they decide, and do so at once. What they decide is told by their store, or by their headers at a route
 * whose own store was made before us.
 */
export class EarlierHook {
  readonly #original: Hook
  readonly #watch: LimiterWatch
  /** The limiters that it may belong to; in the end its own. */
  #limiters: readonly WatchedLimiter[]
  #isKnown = false
  #callsLeft = MOST_CALLS
  #tellsByStore = false
  #lessonsLeft = MOST_LESSONS
  #hidesAllowed = false
  #store: LearntStore | undefined

  constructor (original: Hook, limiters: readonly WatchedLimiter[], watch: LimiterWatch) {
    this.#original = original
    this.#limiters = limiters
    this.#watch = watch
  }

  call (self: unknown, request: FastifyRequest, reply: FastifyReply, rest: unknown[]): unknown {
    const marks = request as unknown as Marks
    const undecided = this.#callsLeft > 0 ? this.#limiters.filter(({ ran }) => marks[ran] !== true) : []
    if (undecided.length === 0) return this.#original.call(self, request, reply, ...rest)

    const ending = new HookEnding(rest)
    const call = (): unknown => this.#original.call(self, request, reply, ...ending.rest)
    const facts = new HeaderFacts()
    const endNotes = this.#tellsByStore ? () => {} : noteHeaders(reply, facts)
    const lesson: Lesson | undefined = this.#tellsByStore || this.#lessonsLeft === 0 ? undefined : { timesOf: store => this.#watch.timesOf(store), store: undefined }
    const end = (): void => {
      endNotes()
      if (lesson !== undefined) endLesson()
    }
    const checks = undecided.map(limiter => this.#watch.begin(limiter, request))
    // A check that another has taken the place of has begun in another hook, which this one let run.
    const isOwn = (limiter: WatchedLimiter, i: number): boolean => checks[i]!.isBegun || limiter.beginning.check === checks[i]
    const startMs = performance.now()
    let outcome: unknown
    let at = -1
    try {
      outcome = lesson === undefined ? call() : learnDuring(lesson, call)
      at = undecided.findIndex((limiter, i) => marks[limiter.ran] === true && isOwn(limiter, i))
    } finally {
      for (const { beginning } of undecided) beginning.check = undefined
      if (at === -1) end()
    }
    if (at === -1) {
      if (!this.#isKnown) this.#callsLeft--
      return outcome
    }
    const limiter = undecided[at]!
    this.#limiters = [limiter]
    this.#isKnown = true
    const check = checks[at]!
    if (check.isBegun) {
      this.#tellsByStore = true
      end()
      // It takes no notice of how a check ends that has asked its store, and a promise is not to reject unheard.
      check.started(check.isAsking
        ? Promise.resolve()
        : new Promise<void>((resolve, reject) => ending.follow(outcome, reply, {
          settled: resolve,
          threw: reject,
          unsettled: () => { if (!check.isAsking) this.#watch.missesBypasses(limiter) }
        })))
    } else {
      const sight = { request, limiter, startMs, facts, lesson }
      ending.follow(outcome, reply, {
        settled: () => { end(); this.#settled(sight) },
        threw: error => { end(); this.#threw(sight, error) },
        unsettled: () => {
          end()
          if (facts.hasDecided) this.#settled(sight)
          else this.#watch.missesChecks(limiter)
        }
      })
    }
    return outcome
  }

  #settled (sight: Sight): void {
    const { request, limiter, startMs, facts } = sight
    const { checks } = this.#watch
    const seconds = secondsSince(startMs)
    const hidden = this.#learn(sight, true)
    // Whoever called the limiter may have kept its refusal to himself.
    if (facts.isRefused) {
      checks.rejected(request, seconds, 'exceeded', facts.limit)
      if (limiter.bansAt(limitOf(request))) this.#watch.missesBans(routeOf(request), 'has its errors kept by a hook of another plugin')
    } else if (facts.hasDecided) {
      if (isUncounted(facts)) checks.failed(request, seconds, this.#store?.lastError)
      else checks.allowed(request, seconds, facts.remaining, facts.limit)
    } else if (hidden.allowed) checks.allowed(request, seconds, undefined, undefined)
    else checks.bypassed(request, seconds)
  }

  #threw (sight: Sight, error: unknown): void {
    const { request, startMs, facts } = sight
    const { checks } = this.#watch
    const seconds = secondsSince(startMs)
    const hidden = this.#learn(sight, false)
    if (facts.isRefused || isHiddenRefusal(facts, hidden, error)) {
      checks.rejected(request, seconds, statusOf(error) === 403 ? 'banned' : 'exceeded', facts.limit)
    } else if (facts.hasDecided) {
      // It was within its quota; what threw is the application's own onExceeding.
      checks.allowed(request, seconds, facts.remaining, facts.limit)
    } else {
      checks.failed(request, seconds, error)
    }
  }

  /** What the route hides, and, when its store has been called for the first time, what that costs. */
  #learn ({ request, limiter, facts, lesson }: Sight, isFulfilled: boolean): Hidden {
    const own = limitOf(request)
    const hidden = limiter.hiddenAt(own)
    if (lesson !== undefined) {
      this.#lessonsLeft--
      this.#store = lesson.store
      if (isFulfilled && (lesson.store !== undefined || facts.hasDecided)) {
        this.#lessonsLeft = 0
        this.#hidesAllowed = !facts.hasDecided
        if (lesson.store?.isTimed !== true) this.#watch.missesStore(limiter)
        const route = routeOf(request)
        if ((this.#hidesAllowed && !hidden.allowed) || limiter.hidesHeadersAt(own)) this.#watch.missesHeaders(route)
        if (limiter.bansAt(own) && limiter.hasOwnErrorsAt(own)) this.#watch.missesBans(route, 'has errors of its own')
      }
    }
    return { allowed: hidden.allowed || this.#hidesAllowed, refused: hidden.refused }
  }
}

function limitOf ({ routeOptions: { config } }: FastifyRequest): LimiterOptions {
  return ownLimitOf(config) ?? {}
}

/** A route, as messages name it. */
function routeOf ({ routeOptions: { url } }: FastifyRequest): string {
  return url === undefined ? 'A 404 handler' : `Route ${url}`
}

function secondsSince (startMs: number): number {
  return (performance.now() - startMs) / 1_000
}

/** A store that failed and was skipped counts nothing: no store that works leaves all of the quota, and no window, after a check. */
function isUncounted ({ reset, remaining, limit }: HeaderFacts): boolean {
  return reset === 0 && remaining !== undefined && remaining === limit
}

/** Of a limiter that does not show when to come back: by the headers of a used-up quota, or else by its error. */
function isHiddenRefusal ({ hasDecided, remaining = 0 }: HeaderFacts, hidden: Hidden, error: unknown): boolean {
  if (hasDecided) return hidden.refused && remaining === 0
  return statusOf(error) === 429 || (hidden.refused && typeof statusOf(error) === 'number')
}

function statusOf (error: unknown): unknown {
  return (error as { statusCode?: unknown } | null | undefined)?.statusCode
}
