import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Exchange, ExchangeHolder } from './exchange.ts'
import { kExchange } from './exchange.ts'

/*
 * Body bytes are counted where bodies pass: in write() and end() of the response, in push() of a request that has a body.
 * One function each for all requests, set as an own property: no closure, and what others have wrapped stays in force.
 */

/** Counts the body of a response as it is written. */
export function countResponseBody (res: ServerResponse): void {
  res.write = countingWrite as ServerResponse['write']
  res.end = countingEnd as ServerResponse['end']
}

/** Counts the body of a request as it arrives; requests without one are left alone. */
export function countRequestBody (req: IncomingMessage & ExchangeHolder, exchange: Exchange): void {
  const { headers } = req
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined && req.httpVersionMajor < 2) return
  req[kExchange] = exchange
  req.push = countingPush
}

function countingWrite (this: ServerResponse & ExchangeHolder, chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
  const exchange = this[kExchange]!
  if (exchange.isEnding) return exchange.write.call(this, chunk, encoding, callback)
  const isFirst = exchange.responseBytes === 0
  exchange.responseBytes += byteLength(chunk, encoding)
  const accepted = exchange.write.call(this, chunk, encoding, callback)
  if (isFirst) exchange.bodyBegins()
  return accepted
}

/** Counts before the call, which may settle the exchange; some responses end by way of their own write(). */
function countingEnd (this: ServerResponse & ExchangeHolder, chunk?: unknown, encoding?: unknown, callback?: unknown): ServerResponse {
  const exchange = this[kExchange]!
  if (!exchange.isEnding) {
    exchange.isEnding = true
    exchange.responseBytes += byteLength(chunk, encoding)
  }
  return exchange.end.call(this, chunk, encoding, callback)
}

function countingPush (this: IncomingMessage & ExchangeHolder, chunk: unknown, encoding?: BufferEncoding): boolean {
  this[kExchange]!.requestBytes += byteLength(chunk, encoding)
  return (Object.getPrototypeOf(this) as IncomingMessage).push.call(this, chunk, encoding)
}

function byteLength (chunk: unknown, encoding: unknown): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk, typeof encoding === 'string' ? encoding as BufferEncoding : 'utf8')
  return chunk instanceof Uint8Array ? chunk.byteLength : 0
}
