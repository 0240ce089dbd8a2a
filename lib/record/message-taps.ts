import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Exchange, ExchangeHolder } from './exchange.ts'
import { kExchange } from './exchange.ts'

/*
 * Heads and bodies are seen where they pass: in writeHead(), write() and end() of the response, in push() of a request
 * that has a body. One function each for all requests, set as an own property: no closure, and what others have wrapped
 * stays in force.
 */

/** Watches the head of a response, and counts its body as it is written. */
export function tapResponse (res: ServerResponse): void {
  res.writeHead = noticingWriteHead as ServerResponse['writeHead']
  res.write = countingWrite as ServerResponse['write']
  res.end = countingEnd as ServerResponse['end']
}

/** Counts the body of a request as it arrives; requests without one are left alone. */
export function tapRequest (req: IncomingMessage & ExchangeHolder, exchange: Exchange): void {
  const { headers } = req
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined && req.httpVersionMajor < 2) return
  req[kExchange] = exchange
  exchange.push = req.push
  req.push = countingPush
}

/** Node calls this for heads that nobody writes explicitly, too. */
function noticingWriteHead (this: ServerResponse & ExchangeHolder, status: unknown, reason?: unknown, headers?: unknown): ServerResponse {
  const exchange = this[kExchange]!
  const result = exchange.writeHead.call(this, status, reason, headers)
  exchange.sentStatus = this.statusCode
  if (exchange.req.method !== 'HEAD' && isEventStream(this, typeof reason === 'string' ? headers : reason)) exchange.streamBegins()
  return result
}

const EVENT_STREAM = /^text\/event-stream/i

function isEventStream (res: ServerResponse, headers: unknown): boolean {
  const type = (headers as Record<string, unknown> | undefined | null)?.['content-type'] ?? res.getHeader('content-type')
  if (type !== undefined) return EVENT_STREAM.test(String(type))
  // Other spellings, and lists of names and values: Node keeps such headers in the head alone.
  const head = (res as { _header?: unknown })._header
  return typeof head === 'string' && /^content-type:\s*text\/event-stream/im.test(head)
}

function countingWrite (this: ServerResponse & ExchangeHolder, chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
  const exchange = this[kExchange]!
  if (exchange.isEnding) return exchange.write.call(this, chunk, encoding, callback)
  exchange.responseBytes += byteLength(chunk, encoding)
  return exchange.write.call(this, chunk, encoding, callback)
}

/** Counts before the call, which may settle the exchange; some responses end by way of their own write(). */
function countingEnd (this: ServerResponse & ExchangeHolder, chunk?: unknown, encoding?: unknown, callback?: unknown): ServerResponse {
  const exchange = this[kExchange]!
  if (exchange.isEnding) return exchange.end.call(this, chunk, encoding, callback)
  const before = exchange.responseBytes
  exchange.isEnding = true
  exchange.responseBytes = before + byteLength(chunk, encoding)
  try {
    return exchange.end.call(this, chunk, encoding, callback)
  } catch (error) {
    exchange.isEnding = false
    exchange.responseBytes = before
    throw error
  }
}

function countingPush (this: IncomingMessage & ExchangeHolder, chunk: unknown, encoding?: BufferEncoding): boolean {
  const exchange = this[kExchange]!
  exchange.requestBytes += byteLength(chunk, encoding)
  return exchange.push!.call(this, chunk, encoding)
}

function byteLength (chunk: unknown, encoding: unknown): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk, typeof encoding === 'string' ? encoding as BufferEncoding : 'utf8')
  return chunk instanceof Uint8Array ? chunk.byteLength : 0
}
