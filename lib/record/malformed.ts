import type { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { exchangeBeingRead } from './http1.ts'

/** What an error of the HTTP/1 parser stands for: the status that Node and Fastify answer it with, and why. */
export interface ParserFailure {
  readonly status: number
  readonly reason: 'parse_error' | 'timeout'
}

const FAILURE_OF_CODE: Readonly<Record<string, ParserFailure>> = {
  HPE_HEADER_OVERFLOW: { status: 431, reason: 'parse_error' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, reason: 'parse_error' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, reason: 'timeout' }
}

/** A request that ends too early: the client left. */
const CUT_SHORT = 'HPE_INVALID_EOF_STATE'

/** The failure that an error stands for; `undefined` for resets, TLS failures and all else that is not the parser's. */
function toParserFailure (error: NodeJS.ErrnoException | null): ParserFailure | undefined {
  const code = error?.code ?? ''
  return FAILURE_OF_CODE[code] ?? (code.startsWith('HPE_') ? { status: 400, reason: 'parse_error' } : undefined)
}

export function isParserError (error: Error): boolean {
  return toParserFailure(error) !== undefined
}

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
