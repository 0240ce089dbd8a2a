import type { Socket } from 'node:net'
import type { EventEmitter } from 'node:events'
import { exchangeBeingRead } from './http1.ts'

/** What the parser gave up on, and the status Node and Fastify answer it with. */
const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408
}

const REASON_OF_CODE = { ERR_HTTP_REQUEST_TIMEOUT: 'timeout' } as Readonly<Record<string, 'timeout' | undefined>>

/** How a parser error is counted where it is a request of its own. */
export type OnMalformed = (status: number, reason: 'parse_error' | 'timeout') => void

/**
 * Watches for bytes that are no request, which no hook sees. An error in the middle of a request that was announced
 * belongs to that request; resets and TLS failures are no requests.
 */
export function watchMalformed (server: EventEmitter, onMalformed: OnMalformed): () => void {
  const onClientError = (error: NodeJS.ErrnoException, socket: Socket): void => {
    const code = error.code ?? ''
    if (!(code.startsWith('HPE_') || code === 'ERR_HTTP_REQUEST_TIMEOUT') || socket.bytesRead === 0) return
    const status = STATUS_OF_CODE[code] ?? 400
    const reason = REASON_OF_CODE[code] ?? 'parse_error'
    const exchange = exchangeBeingRead(socket)
    if (exchange === undefined) {
      onMalformed(status, reason)
    } else if (code !== 'HPE_INVALID_EOF_STATE') {
      exchange.rawStatus = status
      exchange.fault = reason
    }
  }
  server.prependListener('clientError', onClientError)
  return () => { server.removeListener('clientError', onClientError) }
}
