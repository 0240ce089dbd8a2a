import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2SecureServer, Http2Server, Http2ServerResponse, Http2Session } from 'node:http2'
import { tapRequest, tapResponse } from './message-taps.ts'
import type { ExchangeHolder, ExchangeOwner } from './exchange.ts'
import { Exchange, kExchange } from './exchange.ts'
import { settleStream } from './outcome.ts'

/** Where a session keeps the exchanges that are open on it, and that its timeout is watched. */
const kOpen = Symbol('vitals.open')

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
    res.destroy = destroyHere
    const open = openOn((res as unknown as Http2ServerResponse).stream.session!)
    open.add(exchange)
    res.on('close', () => {
      open.delete(exchange)
      settleStream(exchange)
    })
  }
  server.prependListener('request', onRequest as never)
  return () => { server.removeListener('request', onRequest as never) }
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

/** A stream does not tell who reset it: the server says so here. */
function destroyHere (this: Response, error?: Error): Response {
  this[kExchange]!.wasDestroyedHere = true
  return (Object.getPrototypeOf(this) as Response).destroy.call(this, error) as Response
}
