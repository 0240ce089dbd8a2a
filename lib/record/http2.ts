import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants } from 'node:http2'
import type { Http2SecureServer, Http2Server, Http2ServerResponse, Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { performance } from 'node:perf_hooks'
import { tapRequest, tapResponse } from './message-taps.ts'
import type { ExchangeHolder, ExchangeOwner } from './exchange.ts'
import { Exchange, kExchange } from './exchange.ts'
import { CLIENT_GONE, sentStatus, settleStream } from './outcome.ts'

/** Where a session keeps the exchanges that are open on it, and that its timeout is watched. */
const kOpen = Symbol('vitals.open')

/** Carries its exchange once its request was announced. */
type Stream = ServerHttp2Stream & ExchangeHolder
type Session = Http2Session & { [kOpen]?: Set<Exchange> }
type Response = ServerResponse & ExchangeHolder

/** Watches the requests of an HTTP/2 server, which no channel announces on Node 20; returns how to stop. */
export function watchHttp2 (server: Http2Server | Http2SecureServer, owner: ExchangeOwner): () => void {
  const onRequest = (req: IncomingMessage, res: Response): void => {
    // HTTP/1 over an HTTP/2 server (allowHTTP1) was announced by its channel.
    if (req.httpVersionMajor < 2) return
    const exchange = new Exchange(owner, req, res)
    res[kExchange] = exchange
    tapResponse(res)
    tapRequest(req, exchange)
    const stream = (res as unknown as Http2ServerResponse).stream as Stream
    stream[kExchange] = exchange
    exchange.destroy = res.destroy
    res.destroy = destroyHere
    exchange.closeStream = stream.close
    stream.close = closeHere
    const open = openOn(stream.session!)
    open.add(exchange)
    // The response's own close event is not there for a HEAD request that is never answered.
    stream.on('close', () => {
      open.delete(exchange)
      settleStream(exchange, stream)
    })
  }
  const onStream = (stream: Stream, headers: IncomingHttpHeaders): void => {
    if (stream[kExchange] !== undefined) return
    const startMs = performance.now()
    stream.on('close', () => owner.answeredByNode(String(headers[':method']), sentStatus(stream) ?? CLIENT_GONE, startMs))
  }
  server.prependListener('request', onRequest as never)
  // Comes after Node's own listener, by which a request is announced unless Node answers it itself (CONNECT, an unknown Expect).
  server.on('stream', onStream)
  return () => {
    server.removeListener('request', onRequest as never)
    server.removeListener('stream', onStream)
  }
}

function openOn (session: Session): Set<Exchange> {
  const known = session[kOpen]
  if (known !== undefined) return known
  const open = session[kOpen] = new Set<Exchange>()
  session.on('timeout', () => {
    for (const exchange of open) exchange.hasTimedOut = true
  })
  return open
}

/*
 * A stream does not tell who reset it: the server says so here. Node calls close() as well, with CANCEL, when the
 * connection under a stream has gone.
 */

function destroyHere (this: Response, error?: Error): Response {
  this[kExchange]!.wasDestroyedHere = true
  return this[kExchange]!.destroy!.call(this, error) as Response
}

function closeHere (this: Stream, code?: number, callback?: () => void): void {
  if (code !== constants.NGHTTP2_CANCEL) this[kExchange]!.wasDestroyedHere = true
  this[kExchange]!.closeStream!.call(this, code, callback)
}
