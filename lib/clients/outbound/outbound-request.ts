import { performance } from 'node:perf_hooks'
import type { GaugeSeries } from '../../series/gauge.ts'
import type { TraceAsker, TraceLabels } from '../../series/traces.ts'
import { toErrorType } from './error-type.ts'
import type { MethodRows } from './host-rows.ts'

/** One request on its way out, from its creation to the one moment at which it is counted. */
export class OutboundRequest {
  /** Of the head of its response; 0 before that. */
  status = 0
  isSettled = false
  readonly #rows: MethodRows
  readonly #raised: GaugeSeries
  /** ms, on the clock of `performance.now()`. */
  readonly #startMs = performance.now()
  readonly #traces: TraceAsker | undefined
  /** Of the span that was active at the creation: the end comes from the connection, within another or none. */
  readonly #trace: TraceLabels | undefined

  constructor (rows: MethodRows, traces: TraceAsker | undefined) {
    this.#rows = rows
    this.#traces = traces
    this.#trace = traces?.active()
    this.#raised = rows.host.begin()
  }

  /** The response ended: counts the request, once. */
  settle (): void {
    this.#count(undefined)
  }

  /** It was broken off, before a response or in the middle of one: counts the request, once. */
  fail (error: unknown): void {
    this.#count(toErrorType(error))
  }

  #count (errorType: string | undefined): void {
    if (this.isSettled || this.#rows.host.isAbandoned) return
    this.isSettled = true
    const seconds = (performance.now() - this.#startMs) / 1_000
    this.#traces?.hold(this.#trace)
    this.#rows.host.end(this.#raised)
    if (errorType === undefined) this.#rows.succeeded(this.status, seconds)
    else this.#rows.failed(this.status, errorType, seconds)
    this.#traces?.release()
  }
}
