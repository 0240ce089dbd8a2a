import type { OutboundRequest } from './outbound-request.ts'

type Marked = Record<symbol, OutboundRequest | undefined>

/**
 * What one watcher knows of requests of others, under a symbol of its own: it is seen where a request is printed, and
 * costs no more than any property.
 */
export class RequestMarks {
  readonly #key = Symbol('vitals.outbound')

  set (request: object, outbound: OutboundRequest): void {
    (request as Marked)[this.#key] = outbound
  }

  find (request: object): OutboundRequest | undefined {
    return (request as Marked)[this.#key]
  }
}
