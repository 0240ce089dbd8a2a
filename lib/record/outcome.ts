import type { ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Exchange } from './exchange.ts'
import type { FailureReason } from './http-metrics.ts'
import { toParserFailure } from './parser-failure.ts'

/** The status of a request whose client did not wait for the answer (nginx' convention). */
export const CLIENT_GONE = 499

/** What a WebSocket server answers a handshake that is wrong (RFC 6455, section 4.2.2). */
const REFUSED_HANDSHAKE = 400

/** The answer was handed to the system; Node says so too of answers whose connection failed under them. */
export function settleFinished (exchange: Exchange, socket: Socket): void {
  const { errored } = socket
  const hasFailed = errored !== null ? toParserFailure(errored) === undefined : socket.destroyed
  if (hasFailed && hasClientLeft(exchange, socket)) settleCut(exchange, socket)
  else settleComplete(exchange)
}

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
  if (hasClientLeft(exchange, socket)) return settleLeft(exchange, isTruncatedUpload)
  settleBroken(exchange, isTruncatedUpload)
}

/** Whether a connection ended from the far side: by an end, or by a failure that the answer did not bring about. */
function hasClientLeft ({ res }: Exchange, { readableEnded, errored }: Socket): boolean {
  return readableEnded || (errored !== null && errored !== (res as { errored?: Error | null }).errored)
}

/** The same for an HTTP/2 stream, which ends by an error code, and may have been answered past its response object. */
export function settleStream (exchange: Exchange, stream: ServerHttp2Stream): void {
  const status = sentStatus(stream)
  if (status !== undefined && stream.writableEnded && stream.rstCode === 0 && !stream.aborted) {
    return exchange.settle(status, failureOf(exchange, status), false)
  }
  const isTruncatedUpload = !exchange.req.complete
  if (exchange.hasTimedOut) return exchange.settle(CLIENT_GONE, 'timeout', isTruncatedUpload)
  if (!exchange.wasDestroyedHere) return settleLeft(exchange, isTruncatedUpload)
  settleBroken(exchange, isTruncatedUpload)
}

/** The status that went out on a stream, by whatever way; `undefined` before that. */
export function sentStatus ({ headersSent, sentHeaders }: ServerHttp2Stream): number | undefined {
  return headersSent ? Number(sentHeaders[':status']) : undefined
}

/** The client went away. That is how an event stream ends. */
function settleLeft (exchange: Exchange, isTruncatedUpload: boolean): void {
  if (exchange.isEventStream) exchange.settle(exchange.res.statusCode, undefined, isTruncatedUpload)
  else exchange.settle(CLIENT_GONE, 'client_abort', isTruncatedUpload)
}

/** The server broke the answer off: never the client's doing. A refused handshake is answered past the response object. */
function settleBroken (exchange: Exchange, isTruncatedUpload: boolean): void {
  const { res: { errored, headersSent, statusCode }, req } = exchange as { res: Exchange['res'] & { errored?: NodeJS.ErrnoException | null }, req: Exchange['req'] & { upgrade?: boolean } }
  if (req.upgrade === true && !headersSent) return exchange.settle(REFUSED_HANDSHAKE, undefined, false)
  exchange.settle(statusCode, errored?.code === 'FST_ERR_HANDLER_TIMEOUT' ? 'timeout' : 'stream_error', isTruncatedUpload)
}
