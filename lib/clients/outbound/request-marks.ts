import type { OutboundRequest } from './outbound-request.ts'

type Marked = Record<symbol, OutboundRequest | undefined>

/**
 * What one watcher knows of requests of others, under a symbol of its own. A stamp could not be seen where a request is
 * printed, but takes 2 % of the CPU time of a small request.
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
