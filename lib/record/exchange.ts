import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import { performance } from 'node:perf_hooks'
import type { FastifyRequest } from 'fastify'
import type { MethodRows } from './endpoint-rows.ts'
import type { FailureReason } from './http-metrics.ts'
import type { GaugeSeries } from '../series/gauge.ts'
import type { TraceAsker, TraceLabels } from '../series/traces.ts'
import type { ParserFailure } from './parser-failure.ts'

/** Where a response keeps its exchange. */
export const kExchange = Symbol('vitals.exchange')

/** Anything that can carry an exchange: responses, and requests that are upgraded. */
export interface ExchangeHolder {
  [kExchange]?: Exchange
}

type WriteHead = (this: ServerResponse, status: unknown, reason?: unknown, headers?: unknown) => ServerResponse
type Write = (this: ServerResponse, chunk: unknown, encoding?: unknown, callback?: unknown) => boolean
type End = (this: ServerResponse, chunk?: unknown, encoding?: unknown, callback?: unknown) => ServerResponse

/** What exchanges need of the recorder they belong to. */
export interface ExchangeOwner {
  /** Where a request's trace is found; `undefined` where none is wanted. */
  readonly traces: TraceAsker | undefined
  /** The request reached Fastify: which rows it belongs to as things stand. */
  rowsOf (request: FastifyRequest, method: string): MethodRows | null
  /** No hook saw the request. */
  unroutedRows (exchange: Exchange, status: number): MethodRows
  /** Node answered a request that it announced to nobody. */
  answeredByNode (method: string, status: number, startMs: number): void
  /** An event stream opened; returns what to call when it closes. */
  streamOpened (): () => void
}

/** One request and its answer, from the first sign of it to the one moment at which it is counted. */
export class Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** ms, on the clock of `performance.now()`. */
  readonly startMs = performance.now()
  /** Set once the request reached Fastify's hooks. */
  request: FastifyRequest | undefined = undefined
  /** An exchange on the same connection that began earlier and is still open: pipelining. */
  previous: Exchange | undefined = undefined
  isSettled = false
  /** `end()` was called: what it writes by itself is counted already. */
  isEnding = false
  /** What the error hook made of it. */
  fault: FailureReason | undefined = undefined
  /** What the parser made of the rest of the request; the answer to that goes out past the response object. */
  parserFailure: ParserFailure | undefined = undefined
  hasTimedOut = false
  isEventStream = false
  /** The server itself broke the answer off (HTTP/2, where the socket does not tell). */
  wasDestroyedHere = false
  /** Of the head that went out; 0 before that. */
  sentStatus = 0
  /** Of the span that was active when the request arrived: at its end, another may be. */
  trace: TraceLabels | undefined = undefined
  /** Bytes of body that came, whatever was announced. */
  requestBytes = 0
  responseBytes = 0
  readonly writeHead: WriteHead
  readonly write: Write
  readonly end: End
  /** Originals of what is tapped for HTTP/2. */
  destroy: ServerResponse['destroy'] | undefined = undefined
  closeStream: ServerHttp2Stream['close'] | undefined = undefined
  /** Set where the request has a body. */
  push: IncomingMessage['push'] | undefined = undefined
  readonly #owner: ExchangeOwner
  /** The gauge that was raised; `undefined` before, or where the route is not counted. */
  #inProgress: GaugeSeries | undefined = undefined
  #closeStream: (() => void) | undefined = undefined

  constructor (owner: ExchangeOwner, req: IncomingMessage, res: ServerResponse) {
    this.#owner = owner
    this.req = req
    this.res = res
    this.writeHead = res.writeHead as WriteHead
    this.write = res.write as Write
    this.end = res.end as End
  }

  /** The request reached Fastify. */
  arrive (request: FastifyRequest): void {
    if (this.isSettled || this.request !== undefined) return
    this.request = request
    const { traces } = this.#owner
    if (traces !== undefined) this.trace = traces.active()
    const rows = this.#owner.rowsOf(request, this.req.method!)
    if (rows !== null) this.#inProgress = rows.inProgress.raise()
  }

  /** The head of an event stream went out. */
  streamBegins (): void {
    if (this.isSettled) return
    this.isEventStream = true
    this.#closeStream = this.#owner.streamOpened()
  }

  /** The status of the head that went out, or else as it stood. */
  get status (): number {
    return this.sentStatus === 0 ? this.res.statusCode : this.sentStatus
  }

  /** Counts the exchange, once: whatever comes later is not listened to. */
  settle (status: number, reason: FailureReason | undefined): void {
    if (this.isSettled) return
    this.isSettled = true
    const { traces } = this.#owner
    if (traces !== undefined) traces.hold(this.trace)
    this.#inProgress?.lower()
    const rows = this.#finalRows(status)
    if (rows !== null) {
      const { method } = this.req
      const isBodyless = method === 'HEAD' || status === 204 || status === 304
      const seconds = (performance.now() - this.startMs) / 1_000
      rows.record(status, seconds, this.requestBytes, isBodyless ? 0 : this.responseBytes)
      if (reason !== undefined) rows.fail(reason, status, seconds)
    }
    this.#closeStream?.()
    if (traces !== undefined) traces.release()
    this.previous = undefined
  }

  /** Asked again at the end: `callNotFound()` sends a request to another route than it arrived at. */
  #finalRows (status: number): MethodRows | null {
    return this.request === undefined ? this.#owner.unroutedRows(this, status) : this.#owner.rowsOf(this.request, this.req.method!)
  }
}
