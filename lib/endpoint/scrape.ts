import { performance } from 'node:perf_hooks'
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { contentType } from '../export/format.ts'
import type { ScrapeFormat } from '../export/format.ts'
import type { Deadlines } from './deadlines.ts'
import { toGzip } from './gzip.ts'
import { acceptsGzip, negotiateFormat } from './negotiation.ts'
import { refuse } from './refusal.ts'

/** What is served; the export room's Exposition is one. */
export interface ScrapeSource {
  scrape (format: ScrapeFormat): AsyncIterable<Buffer>
}

/** Told of every scrape that was handed over in full: its time, and its size before compression. */
export type OnScrape = (durationSeconds: number, sizeBytes: number) => void

export interface ScrapeParts {
  exposition: ScrapeSource
  deadlines: Deadlines
  onScrape: OnScrape
}

/** The route's handler: renders as fast as the scraper reads, and not at all for HEAD. */
export function createScrapeHandler ({ exposition, deadlines, onScrape }: ScrapeParts) {
  return async function scrape (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const startedAt = performance.now()
    const format = negotiateFormat(request.headers.accept)
    const gzip = acceptsGzip(request.headers['accept-encoding'])
    if (request.method === 'HEAD') return describe(reply, format, gzip).send()

    const plain = measured(exposition.scrape(format), (size) => onScrape((performance.now() - startedAt) / 1000, size))
    const chunks = gzip ? toGzip(plain) : plain
    const stop = () => { chunks.return().catch((error) => request.log.error({ err: error }, 'a metrics scrape could not be stopped cleanly')) }
    const deadline = deadlines.of(request)
    let first: IteratorResult<Buffer>
    try {
      first = await deadline.race(chunks.next())
    } catch (error) {
      stop()
      if (deadline.signal.aborted) return refuse(reply, 503)
      request.log.error({ err: error }, 'metrics could not be rendered')
      return refuse(reply, 500)
    }

    const body = Readable.from(resume(first, chunks), { objectMode: false })
    deadline.signal.addEventListener('abort', () => {
      stop()
      body.destroy()
      if (!reply.raw.writableFinished) reply.raw.destroy()
    })
    return describe(reply, format, gzip).send(body)
  }
}

function describe (reply: FastifyReply, format: ScrapeFormat, gzip: boolean): FastifyReply {
  const vary = [reply.getHeader('vary') ?? [], 'Accept', 'Accept-Encoding'].flat().join(', ')
  if (gzip) reply.header('content-encoding', 'gzip')
  return reply.headers({ 'content-type': contentType(format), 'cache-control': 'no-store', vary })
}

async function * measured (chunks: AsyncIterable<Buffer>, onEnd: (size: number) => void): AsyncGenerator<Buffer, void, undefined> {
  let size = 0
  for await (const chunk of chunks) {
    size += chunk.length
    yield chunk
  }
  onEnd(size)
}

// The first chunk was asked for before the head was sent, so that a failure could still be a 500.
async function * resume (first: IteratorResult<Buffer>, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  for (let next = first; next.done !== true; next = await rest.next()) yield next.value
}
