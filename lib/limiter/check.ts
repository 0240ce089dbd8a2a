import type { FastifyReply } from 'fastify'

/** Which of a limiter's headers go out; the others are asked of it all the same, since they tell what it decided. */
export interface ShownHeaders {
  readonly whenAllowed: Readonly<Record<string, unknown>>
  readonly whenRejected: Readonly<Record<string, unknown>>
}

/** A limiter's headers, by their usual names and those of the IETF's draft. */
export const LIMITER_HEADERS: readonly string[] = [
  'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset',
  'ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset',
  'retry-after'
]

/**
 * One check of one request. A limiter's handler takes it for the reply: it does nothing with a reply but set headers,
 * and these say what it decided. They are passed on as they come, or at the end where the limiter was told to hide some.
 */
export class Check {
  limit: number | undefined = undefined
  remaining: number | undefined = undefined
  reset: number | undefined = undefined
  isRefused = false
  /** Whatever else a later version may want of the reply is had from the reply itself. The proxy costs nothing until then. */
  static {
    Object.setPrototypeOf(Check.prototype, new Proxy(Object.prototype, {
      get: (_, key, check: Check) => {
        const value: unknown = Reflect.get(check.#reply, key)
        return typeof value === 'function' ? value.bind(check.#reply) : value
      },
      set: (_, key, value, check: Check) => Reflect.set(check.#reply, key, value)
    }))
  }

  readonly #reply: FastifyReply
  readonly #shown: ShownHeaders | undefined
  #held: [name: string, value: unknown][] | undefined

  constructor (reply: FastifyReply, shown: ShownHeaders | undefined) {
    this.#reply = reply
    this.#shown = shown
  }

  get hasDecided (): boolean {
    return this.remaining !== undefined || this.limit !== undefined || this.reset !== undefined || this.isRefused
  }

  header (name: string, value: unknown): this {
    switch (name) {
      case 'x-ratelimit-limit':
      case 'ratelimit-limit':
        this.limit = value as number
        break
      case 'x-ratelimit-remaining':
      case 'ratelimit-remaining':
        this.remaining = value as number
        break
      case 'x-ratelimit-reset':
      case 'ratelimit-reset':
        this.reset = value as number
        break
      case 'retry-after':
        this.isRefused = true
    }
    if (this.#shown === undefined) this.#reply.header(name, value)
    else (this.#held ??= []).push([name, value])
    return this
  }

  /** Passes on the headers that the limiter was to show. */
  release (): void {
    if (this.#held === undefined) return
    const shown = this.isRefused ? this.#shown!.whenRejected : this.#shown!.whenAllowed
    for (const [name, value] of this.#held) if (shown[name]) this.#reply.header(name, value)
  }
}
