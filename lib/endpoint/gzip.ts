import { promisify } from 'node:util'
import { constants, crc32, deflateRaw } from 'node:zlib'

const deflate = promisify(deflateRaw)

// A sync flush ends each piece on a byte boundary without marking it as the last one, so that pieces can follow each other.
const options = { level: constants.Z_BEST_SPEED, finishFlush: constants.Z_SYNC_FLUSH }
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
const LAST_BLOCK = Buffer.from([3, 0])

// Concurrent scrapes share their rendering's chunks, and so share the compression. A scraper that stalls holds no zlib state.
const compressed = new WeakMap<Buffer, Promise<Buffer>>()

/** The chunks as one gzip member (RFC 1952), each compressed once in the thread pool. Nothing comes before the first chunk is there. */
export async function * toGzip (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let checksum = 0
  let size = 0
  for await (const chunk of chunks) {
    if (chunk.length === 0) continue
    if (size === 0) yield HEADER
    checksum = crc32(chunk, checksum)
    size += chunk.length
    yield await toDeflated(chunk)
  }
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(checksum, 0)
  trailer.writeUInt32LE(size % 2 ** 32, 4)
  yield Buffer.concat(size === 0 ? [HEADER, LAST_BLOCK, trailer] : [LAST_BLOCK, trailer])
}

function toDeflated (chunk: Buffer): Promise<Buffer> {
  let result = compressed.get(chunk)
  if (result === undefined) {
    result = deflate(chunk, options)
    compressed.set(chunk, result)
  }
  return result
}
