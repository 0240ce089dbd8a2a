import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { EventEmitter } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { tapRequest, tapResponse } from './message-taps.ts'
import type { ExchangeHolder, ExchangeOwner } from './exchange.ts'
import { Exchange, kExchange } from './exchange.ts'
import { settleCut, settleFinished } from './outcome.ts'

/*
 * HTTP/1 as Node announces it: one message when the head of a request was read, one when its answer was handed to the
 * system, and the end of the connection for all that is still open then. No listener is added to a request or response;
 * requests that Node answers by itself (no Host, unknown Expect) are announced too.
 */

/** Where a server keeps who watches it; the same for all copies of this package in a process. */
const kOwner = Symbol.for('fastify-vitals.owner')

/** Where a connection keeps the exchange that began last; `null` when none is open. */
const kLast = Symbol('vitals.last')

type Watched = EventEmitter & { [kOwner]?: ExchangeOwner }
type Connection = Socket & { [kLast]?: Exchange | null }

interface ChannelMessage {
  readonly request: IncomingMessage
  readonly response: ServerResponse & ExchangeHolder
  readonly socket: Connection
  readonly server: Server & Watched
}

let watchedServers = 0

/** Begins to watch a server; returns how to stop. */
export function watchHttp1 (server: Watched, owner: ExchangeOwner): () => void {
  if (watchedServers++ === 0) {
    subscribe('http.server.request.start', onStart)
    subscribe('http.server.response.finish', onFinish)
  }
  server[kOwner] = owner
  return () => {
    delete server[kOwner]
    if (--watchedServers === 0) {
      unsubscribe('http.server.request.start', onStart)
      unsubscribe('http.server.response.finish', onFinish)
    }
  }
}

/** Whether a server is watched already. */
export function isWatched (server: Watched): boolean {
  return server[kOwner] !== undefined
}

/** The exchange on a connection whose request is still being read; it may be answered, and counted, already. */
export function exchangeBeingRead (socket: Connection): Exchange | undefined {
  const last = socket[kLast]
  return last != null && !last.req.complete ? last : undefined
}

function onStart (message: unknown): void {
  const { request, response, socket, server } = message as ChannelMessage
  const owner = server[kOwner]
  if (owner === undefined || response[kExchange] !== undefined) return
  const exchange = new Exchange(owner, request, response)
  response[kExchange] = exchange
  tapResponse(response)
  tapRequest(request, exchange)
  const last = socket[kLast]
  if (last === undefined) {
    socket.on('close', onConnectionClose)
    socket.on('timeout', onConnectionTimeout)
  } else if (last !== null && !last.isSettled) {
    exchange.previous = last
  }
  socket[kLast] = exchange
}

function onFinish (message: unknown): void {
  const { response, socket } = message as ChannelMessage
  const exchange = response[kExchange]
  if (exchange === undefined) return
  settleFinished(exchange, socket)
  // An idle connection must not keep the last request alive. What is left of its body still belongs to it.
  if (exchange.req.complete) forget(socket, exchange)
  else exchange.req.once('end', () => forget(socket, exchange))
}

function forget (socket: Connection, exchange: Exchange): void {
  if (socket[kLast] === exchange) socket[kLast] = null
}

function onConnectionClose (this: Connection): void {
  for (let exchange = this[kLast] ?? undefined; exchange !== undefined;) {
    const { previous } = exchange
    settleCut(exchange, this)
    exchange = previous
  }
  this[kLast] = null
}

/** Node destroys the connection next, unless the application deals with the timeout itself. */
function onConnectionTimeout (this: Connection): void {
  const last = this[kLast] ?? undefined
  for (let exchange = last; exchange !== undefined; exchange = exchange.previous) exchange.hasTimedOut = true
  process.nextTick(() => {
    if (this.destroyed) return
    for (let exchange = last; exchange !== undefined; exchange = exchange.previous) exchange.hasTimedOut = false
  })
}
