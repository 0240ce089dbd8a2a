import type { FastifyReply } from 'fastify'

/** What the headers tell that a limiter sets: what it decided. */
export class HeaderFacts {
  limit: number | undefined = undefined
  remaining: number | undefined = undefined
  reset: number | undefined = undefined
  isRefused = false

  get hasDecided (): boolean {
    return this.remaining !== undefined || this.limit !== undefined || this.reset !== undefined || this.isRefused
  }

  /** The names are the usual ones and those of the IETF's draft. */
  note (name: string, value: unknown): void {
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
  }
}

/** Notes the headers that are set on a reply from now on; returns what ends it. */
export function noteHeaders (reply: FastifyReply, facts: HeaderFacts): () => void {
  const { header } = reply
  const isOwn = Object.hasOwn(reply, 'header')
  const noting: typeof header = function (this: FastifyReply, name, value) {
    facts.note(name, value)
    return header.call(this, name, value) as never
  }
  const set = (value: typeof header): unknown => Object.defineProperty(reply, 'header', { value, configurable: true, writable: true })
  set(noting)
  return () => {
    // Somebody else may have replaced it since.
    if (reply.header !== noting) return
    if (isOwn) set(header)
    else Reflect.deleteProperty(reply, 'header')
  }
}
