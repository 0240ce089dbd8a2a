import type { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ResolvedOptions } from '../options.ts'
import type { Registry } from '../series/registry.ts'
import type { Traces } from '../series/traces.ts'
import { TraceAsker } from '../series/traces.ts'
import { tapRequest, tapResponse } from './message-taps.ts'
import { Connections, watchWebSockets } from './connections.ts'
import type { MethodRows } from './endpoint-rows.ts'
import { OTHER_METHOD } from './endpoint-rows.ts'
import type { ExchangeHolder, ExchangeOwner } from './exchange.ts'
import { Exchange, kExchange } from './exchange.ts'
import type { FailureReason, HttpTelemetry } from './http-metrics.ts'
import { HttpMetrics } from './http-metrics.ts'
import type { ParserFailure } from './parser-failure.ts'
import { settleComplete, settleCut } from './outcome.ts'
import { Routes } from './routes.ts'

/** Where no way out asks for more. */
const PLAIN = { scheme: 'http', withErrorTypes: false, traces: undefined } as const

type Response = ServerResponse & ExchangeHolder

const EXPECTATION_FAILED = 417

/** Counts the requests of one Fastify application: takes exchanges from where they are seen and names their rows. */
export class Recorder implements ExchangeOwner {
  readonly routes: Routes
  readonly traces: TraceAsker | undefined
  readonly #connections: Connections
  readonly #webSocketServers = new WeakSet<EventEmitter>()

  constructor (registry: Registry, { labels, buckets, ignore }: Pick<ResolvedOptions, 'labels' | 'buckets' | 'ignore'>, warn: (message: string) => void, telemetry: HttpTelemetry & { readonly traces: Traces | undefined } = PLAIN) {
    this.traces = telemetry.traces && new TraceAsker(telemetry.traces)
    this.routes = new Routes(new HttpMetrics(registry, labels, buckets, telemetry), ignore, warn)
    this.#connections = new Connections(registry)
  }

  /** A request reached Fastify's first hook. */
  arrive (request: FastifyRequest, reply: FastifyReply): void {
    const res = reply.raw as Response
    const exchange = res[kExchange] ?? this.#adopt(request, res)
    exchange.arrive(request)
  }

  /** A handler, hook or parser failed. */
  failed (reply: FastifyReply, error: { readonly code?: unknown }): void {
    const exchange = (reply.raw as Response)[kExchange]
    if (exchange !== undefined) exchange.fault = faultOf(error.code)
  }

  /** Bytes came that were no request. */
  malformed ({ status, reason }: ParserFailure): void {
    const rows = this.routes.malformed.of(OTHER_METHOD)
    rows.record(status, 0, 0, 0)
    rows.fail(reason, status, 0)
  }

  rowsOf (request: FastifyRequest, method: string): MethodRows | null {
    const endpoint = this.routes.of(request)
    return endpoint === null ? null : endpoint.of(method)
  }

  /** Node itself refuses a request without Host and an Expect it does not know; all else is a URL that no route took. */
  unroutedRows ({ req }: Exchange, status: number): MethodRows {
    const isWithoutHost = status === 400 && req.headers.host === undefined && req.httpVersionMajor === 1
    return (isWithoutHost || status === EXPECTATION_FAILED ? this.routes.malformed : this.routes.unmatched).of(req.method!)
  }

  answeredByNode (method: string, status: number, startMs: number): void {
    const rows = (status === EXPECTATION_FAILED ? this.routes.malformed : this.routes.unmatched).of(method)
    rows.record(status, (performance.now() - startMs) / 1_000, 0, 0)
  }

  streamOpened (): () => void {
    return this.#connections.open('sse')
  }

  /**
   * A request that no server announced: `inject()`, an upgrade, a server that is not Fastify's own. Its response's own
   * events have to do.
   */
  #adopt (request: FastifyRequest, res: Response): Exchange {
    const req = request.raw as IncomingMessage & ExchangeHolder
    const exchange = new Exchange(this, req, res)
    res[kExchange] = exchange
    req[kExchange] = exchange
    tapResponse(res)
    tapRequest(req, exchange)
    // The application may take the socket off the request.
    const { socket } = req
    res.once('finish', () => settleComplete(exchange))
    res.once('close', () => settleCut(exchange, socket))
    this.#watchUpgrades(request)
    return exchange
  }

  #watchUpgrades (request: FastifyRequest): void {
    const server = (request.server as { websocketServer?: EventEmitter }).websocketServer
    if (server === undefined || this.#webSocketServers.has(server)) return
    this.#webSocketServers.add(server)
    watchWebSockets(server, this.#connections, req => (req as IncomingMessage & ExchangeHolder)[kExchange]?.settle(101, undefined))
  }
}

/** The reason that an error stands for, should the status bear it out. */
function faultOf (code: unknown): FailureReason {
  if (code === 'FST_ERR_HANDLER_TIMEOUT') return 'timeout'
  return typeof code === 'string' && code.startsWith('FST_ERR_CTP_') ? 'parse_error' : 'handler_error'
}
