import type { FastifyInstance } from 'fastify'
import type { Flags, LimiterOptions, LimiterParts } from './open-limiter.ts'
import type { Beginning } from './watched-store.ts'

/** What a limiter's headers do not tell of its decisions. */
export interface Hidden {
  /** That it allowed. */
  readonly allowed: boolean
  /** That it refused. */
  readonly refused: boolean
}

const LONGEST_NAME = 60

/** One registration of @fastify/rate-limit, opened. */
export class WatchedLimiter {
  /** Marks the requests on which it has decided. */
  readonly ran: symbol
  /** Its context, as messages name it. */
  readonly where: string
  readonly beginning: Beginning = { check: undefined }
  /** Whether the log has said that it makes checks that nobody sees. */
  isToldOf = false
  readonly #params: LimiterParts['params']
  readonly #names: readonly [limit: string, remaining: string, reset: string, retryAfter: string]

  constructor ({ component, params }: LimiterParts, context: FastifyInstance) {
    const { rateLimit, rateRemaining, rateReset, retryAfter } = params.labels
    this.ran = component.rateLimitRan
    this.where = nameOf(context)
    this.#params = params
    this.#names = [rateLimit, rateRemaining, rateReset, retryAfter]
  }

  /** What is hidden at a route by its headers. */
  hiddenAt (own: LimiterOptions): Hidden {
    const { whenAllowed, whenRejected } = this.#headersAt(own)
    const [limit, remaining, reset, retryAfter] = this.#names
    return { allowed: !whenAllowed[limit] && !whenAllowed[remaining] && !whenAllowed[reset], refused: !whenRejected[retryAfter] }
  }

  /** Whether a route has any header switched off. */
  hidesHeadersAt (own: LimiterOptions): boolean {
    const { whenAllowed, whenRejected } = this.#headersAt(own)
    return !this.#names.every((name, i) => whenRejected[name] && (i === 3 || whenAllowed[name]))
  }

  bansAt ({ ban = this.#params.ban }: LimiterOptions): boolean {
    return Number.isFinite(ban) && ban as number >= 0
  }

  /** Whether a route's errors are the application's own. */
  hasOwnErrorsAt ({ errorResponseBuilder }: LimiterOptions): boolean {
    return errorResponseBuilder !== undefined || this.#params.isCustomErrorMessage
  }

  #headersAt ({ addHeaders = this.#params.addHeaders, addHeadersOnExceeding = this.#params.addHeadersOnExceeding }: LimiterOptions): { readonly whenAllowed: Flags, readonly whenRejected: Flags } {
    return { whenAllowed: addHeadersOnExceeding, whenRejected: addHeaders }
  }
}

/** A context by what made it and its prefix. */
function nameOf ({ pluginName, prefix }: FastifyInstance): string {
  const [name] = String(pluginName).split(' -> ') as [string]
  return `${name.slice(0, LONGEST_NAME)}${prefix === '' ? '' : ` (prefix ${prefix})`}`
}
