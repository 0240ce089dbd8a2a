import type { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { exchangeBeingRead } from './http1.ts'
import type { ParserFailure } from './parser-failure.ts'
import { CUT_SHORT, toParserFailure } from './parser-failure.ts'

/** Told of bytes that were no request. */
export type OnMalformed = (failure: ParserFailure) => void

function note (error: NodeJS.ErrnoException | null, socket: Socket, onMalformed: OnMalformed): void {
  const failure = toParserFailure(error)
  if (failure === undefined || socket.bytesRead === 0) return
  const exchange = exchangeBeingRead(socket)
  if (exchange === undefined) onMalformed(failure)
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
