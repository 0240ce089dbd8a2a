import type { Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import type { Exchange } from './exchange.ts'
import type { FailureReason } from './http-metrics.ts'

/** The status of a request whose client did not wait for the answer (nginx' convention). */
export const CLIENT_GONE = 499

/** The answer went out whole. */
export function settleComplete (exchange: Exchange): void {
  const { statusCode } = exchange.res
  exchange.settle(statusCode, failureOf(exchange, statusCode), false)
}

/** What the error hook noted, where the status that was sent bears it out: an error answered with 4xx by a handler is no failure. */
function failureOf ({ fault }: Exchange, status: number): FailureReason | undefined {
  return fault === 'handler_error' && status < 500 ? undefined : fault
}

/** The connection closed before the answer was whole: who broke it off decides the status. */
export function settleCut (exchange: Exchange, socket: Socket): void {
  const isTruncatedUpload = !exchange.req.complete
  const { parserFailure } = exchange
  if (parserFailure !== undefined) return exchange.settle(parserFailure.status, parserFailure.reason, isTruncatedUpload)
  if (exchange.hasTimedOut) return exchange.settle(CLIENT_GONE, 'timeout', isTruncatedUpload)
  if (socket.readableEnded || (socket.errored !== null && socket.errored !== exchange.res.errored)) return exchange.settle(CLIENT_GONE, 'client_abort', isTruncatedUpload)
  settleBroken(exchange, isTruncatedUpload)
}

/** The same for an HTTP/2 stream, which ends by an error code. */
export function settleStream (exchange: Exchange): void {
  const { stream } = exchange.res as unknown as Http2ServerResponse
  const isCut = stream.rstCode !== 0 || !exchange.res.writableEnded
  if (!isCut) return settleComplete(exchange)
  const isTruncatedUpload = !exchange.req.complete
  if (exchange.hasTimedOut) return exchange.settle(CLIENT_GONE, 'timeout', isTruncatedUpload)
  if (!exchange.wasDestroyedHere) return exchange.settle(CLIENT_GONE, 'client_abort', isTruncatedUpload)
  settleBroken(exchange, isTruncatedUpload)
}

/** The server broke the answer off: never the client's doing. */
function settleBroken (exchange: Exchange, isTruncatedUpload: boolean): void {
  const { errored, statusCode } = exchange.res as typeof exchange.res & { errored?: NodeJS.ErrnoException | null }
  exchange.settle(statusCode, errored?.code === 'FST_ERR_HANDLER_TIMEOUT' ? 'timeout' : 'stream_error', isTruncatedUpload)
}
