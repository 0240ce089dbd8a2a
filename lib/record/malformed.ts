import type { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { exchangeBeingRead } from './http1.ts'
import type { ParserFailure } from './parser-failure.ts'
import { CUT_SHORT, toParserFailure } from './parser-failure.ts'

/** Told of bytes that were no request. */
export type OnMalformed = (failure: ParserFailure) => void

/** Marks a connection whose bytes were counted as malformed: a server that keeps it open hears of each packet that follows. */
const kIsMalformed = Symbol('vitals.isMalformed')

function noteOnce (socket: Socket & { [kIsMalformed]?: boolean }, failure: ParserFailure, onMalformed: OnMalformed): void {
  if (socket[kIsMalformed] === true) return
  socket[kIsMalformed] = true
  onMalformed(failure)
}

function note (error: NodeJS.ErrnoException | null, socket: Socket, onMalformed: OnMalformed): void {
  const failure = toParserFailure(error)
  if (failure === undefined || socket.bytesRead === 0) return
  const exchange = exchangeBeingRead(socket)
  if (exchange === undefined) noteOnce(socket, failure, onMalformed)
  else if (error?.code !== CUT_SHORT) exchange.parserFailure = failure
}

/**
 * Watches for bytes that are no request, which no hook sees. An error in the middle of a request that was announced
 * belongs to that request.
 */
export function watchMalformed (server: EventEmitter, onMalformed: OnMalformed): () => void {
  const onClientError = (error: NodeJS.ErrnoException, socket: Socket): void => note(error, socket, onMalformed)
  server.prependListener('clientError', onClientError)
  return () => { server.removeListener('clientError', onClientError) }
}

/**
 * The same for a server that nobody listens to for `clientError`, where a listener would take Node's own answer away:
 * the error that a connection was closed with tells.
 */
export function watchMalformedConnections (server: EventEmitter, onMalformed: OnMalformed): void {
  for (const event of ['connection', 'secureConnection']) {
    server.on(event, (socket: Socket) => {
      socket.prependListener('close', () => note(socket.errored as NodeJS.ErrnoException | null, socket, onMalformed))
    })
  }
}
