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
  const hasFailed = errored !== null ? !isMalformed(errored) : socket.destroyed
  if (hasFailed && hasClientLeft(socket)) settleCut(exchange, socket)
  else settleComplete(exchange)
}

/** The answer went out whole. */
export function settleComplete (exchange: Exchange): void {
  const { status } = exchange
  exchange.settle(status, failureOf(exchange, status))
}

/** What the error hook noted, where the status that was sent bears it out: an error answered with 4xx by a handler is no failure. */
function failureOf ({ fault }: Exchange, status: number): FailureReason | undefined {
  return fault === 'handler_error' && status < 500 ? undefined : fault
}

/** The connection closed before the answer was whole: who broke it off decides the status. */
export function settleCut (exchange: Exchange, socket: Socket): void {
  const { parserFailure } = exchange
  if (parserFailure !== undefined) exchange.settle(parserFailure.status, parserFailure.reason)
  else if (exchange.hasTimedOut) exchange.settle(CLIENT_GONE, 'timeout')
  else if (exchange.res.writableEnded && isMalformed(socket.errored)) settleComplete(exchange)
  else if (hasClientLeft(socket)) settleLeft(exchange)
  else settleBroken(exchange)
}

/** Whether a connection was closed over malformed bytes: an answer that was ended before them goes out all the same. */
function isMalformed (errored: Error | null | undefined): boolean {
  return errored != null && toParserFailure(errored) !== undefined
}

/** Whether a connection ended from the far side: by an end, or by an error of the system, of TLS or of the parser. The application's own errors are none of these. */
function hasClientLeft ({ readableEnded, errored }: Socket): boolean {
  if (readableEnded === true) return true
  const error = errored as NodeJS.ErrnoException | null | undefined
  return error != null && (error.syscall !== undefined || error.code?.startsWith('ERR_SSL_') === true || isMalformed(error))
}

/** The same for an HTTP/2 stream, which ends by an error code, and may have been answered past its response object. */
export function settleStream (exchange: Exchange, stream: ServerHttp2Stream): void {
  const status = sentStatus(stream)
  if (status !== undefined && stream.writableEnded && stream.rstCode === 0 && !stream.aborted) exchange.settle(status, failureOf(exchange, status))
  else if (exchange.hasTimedOut) exchange.settle(CLIENT_GONE, 'timeout')
  else if (exchange.wasDestroyedHere || isOwnError(stream.errored)) settleBroken(exchange)
  else settleLeft(exchange)
}

/** Whether a stream was destroyed with an error of the application's: resets and lost connections make errors of Node's. */
function isOwnError (error: NodeJS.ErrnoException | null): boolean {
  return error !== null && error.syscall === undefined && !/^(?:ERR_|ECONN|EPIPE)/.test(error.code ?? '')
}

/** The status that went out on a stream, by whatever way; `undefined` before that. */
export function sentStatus ({ headersSent, sentHeaders }: ServerHttp2Stream): number | undefined {
  return headersSent ? Number(sentHeaders[':status']) : undefined
}

/** The client went away. That is how an event stream ends. */
function settleLeft (exchange: Exchange): void {
  if (exchange.isEventStream) exchange.settle(exchange.status, undefined)
  else exchange.settle(CLIENT_GONE, 'client_abort')
}

/** The server broke the answer off: never the client's doing. A refused handshake is answered past the response object. */
function settleBroken (exchange: Exchange): void {
  const { errored } = exchange.res as { errored?: NodeJS.ErrnoException | null }
  if ((exchange.req as { upgrade?: boolean }).upgrade === true && exchange.sentStatus === 0) exchange.settle(REFUSED_HANDSHAKE, undefined)
  else exchange.settle(exchange.status, errored?.code === 'FST_ERR_HANDLER_TIMEOUT' ? 'timeout' : 'stream_error')
}
