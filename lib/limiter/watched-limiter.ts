import type { FastifyInstance } from 'fastify'
import type { ShownHeaders } from './check.ts'
import type { Callback, Flags, LimiterOptions, LimiterParts } from './open-limiter.ts'

/** What a limiter may hide of its decisions, so that its headers do not tell them. */
export interface Hidden {
  /** That it allowed. */
  readonly allowed: boolean
  /** That it refused. */
  readonly refused: boolean
}

/** Options to give to a limiter instead of the application's, and what is to be done with what comes of them. */
export interface PreparedOptions<O> {
  readonly options: O
  /** What the application wants to be shown; `undefined` where that is everything. */
  readonly shown: ShownHeaders | undefined
  /** What the limiter may hide all the same; `undefined` where that is nothing. */
  readonly hidden: Hidden | undefined
}

const LONGEST_NAME = 60

/**
 * One registration of @fastify/rate-limit, opened. Headers tell its decisions, so those that the application has
 * switched off are asked for too, and kept back. A limiter that was there before us may have made handlers that we never
 * see: of such a limiter nothing is asked that would change its answers.
 */
export class WatchedLimiter {
  /** Marks the requests on which it has decided. */
  readonly ran: symbol
  /** Whether it was there before us. */
  readonly isFound: boolean
  /** Its context, as messages name it. */
  readonly where: string
  /** Checks that have begun and not ended. */
  checksUnderWay = 0
  readonly #params: LimiterParts['params']
  readonly #names: readonly string[]
  readonly #shown: ShownHeaders
  readonly #asked: Pick<LimiterParts['params'], 'addHeaders' | 'addHeadersOnExceeding'>
  readonly #banned: WeakSet<object>

  constructor ({ component, params }: LimiterParts, context: FastifyInstance, isFound: boolean, banned: WeakSet<object>) {
    const { rateLimit, rateRemaining, rateReset, retryAfter } = params.labels
    this.ran = component.rateLimitRan
    this.isFound = isFound
    this.where = nameOf(context)
    this.#params = params
    this.#names = [rateLimit, rateRemaining, rateReset, retryAfter]
    this.#shown = { whenAllowed: params.addHeadersOnExceeding, whenRejected: params.addHeaders }
    this.#asked = { addHeaders: this.#all(), addHeadersOnExceeding: this.#all() }
    this.#banned = banned
    params.onBanReach = this.#noting(params.onBanReach)
    if (!isFound && this.hidesHeaders) Object.assign(params, this.#asked)
  }

  /** Whether the registration has switched headers off. */
  get hidesHeaders (): boolean {
    return !this.#showsAll(this.#shown)
  }

  /** The options of a route or of a decorator; `undefined` where it has none of its own and the limiter's hold. */
  ofRoute<O extends LimiterOptions | undefined> (own: O): PreparedOptions<O> {
    if (own === undefined) {
      if (!this.hidesHeaders) return { options: own, shown: undefined, hidden: undefined }
      return this.isFound ? { options: own, shown: undefined, hidden: this.hiddenAt(own) } : { options: own, shown: this.#shown, hidden: undefined }
    }
    const shown = { whenAllowed: own.addHeadersOnExceeding ?? this.#shown.whenAllowed, whenRejected: own.addHeaders ?? this.#shown.whenRejected }
    const hides = !this.#showsAll(shown)
    const { onBanReach } = own
    if (!hides && typeof onBanReach !== 'function') return { options: own, shown: undefined, hidden: undefined }
    const options = { ...own, ...hides && this.#asked, ...typeof onBanReach === 'function' && { onBanReach: this.#noting(onBanReach as Callback) } }
    return { options, shown: hides ? shown : undefined, hidden: undefined }
  }

  /** What is hidden at a route that was declared before us, or that shares the options of a limiter that was. */
  hiddenAt (own: LimiterOptions | undefined): Hidden {
    const whenAllowed = own?.addHeadersOnExceeding ?? this.#shown.whenAllowed
    const whenRejected = own?.addHeaders ?? this.#shown.whenRejected
    const [limit, remaining, reset, retryAfter] = this.#names as [string, string, string, string]
    return { allowed: !whenAllowed[limit] && !whenAllowed[remaining] && !whenAllowed[reset], refused: !whenRejected[retryAfter] }
  }

  /** Whether a route that was declared before us has switched headers off by itself. */
  hidesHeadersAt ({ addHeaders, addHeadersOnExceeding }: LimiterOptions): boolean {
    return !this.#showsAll({ whenAllowed: addHeadersOnExceeding ?? this.#asked.addHeadersOnExceeding, whenRejected: addHeaders ?? this.#asked.addHeaders })
  }

  /** Whether bans at a route that was declared before us show only where its own errors say so. */
  bansSilentlyAt ({ ban = this.#params.ban, errorResponseBuilder }: LimiterOptions): boolean {
    return Number.isFinite(ban) && ban as number >= 0 && (errorResponseBuilder !== undefined || this.#params.isCustomErrorMessage)
  }

  #all (): Flags {
    return Object.fromEntries(this.#names.map(name => [name, true]))
  }

  #showsAll ({ whenAllowed, whenRejected }: ShownHeaders): boolean {
    return this.#names.every((name, i) => whenRejected[name] && (i === 3 || whenAllowed[name]))
  }

  /** `onBanReach` as it was; the ban is noted first. */
  #noting (original: Callback): Callback {
    const banned = this.#banned
    return function (...args) {
      banned.add(args[0] as object)
      return original.apply(this, args)
    }
  }
}

/** A context by what made it and its prefix. */
function nameOf ({ pluginName, prefix }: FastifyInstance): string {
  const [name] = String(pluginName).split(' -> ') as [string]
  return `${name.slice(0, LONGEST_NAME)}${prefix === '' ? '' : ` (prefix ${prefix})`}`
}
