import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { toGzip } from '../../lib/endpoint/gzip.ts'

async function * each (chunks: Buffer[]): AsyncGenerator<Buffer, void, undefined> {
  yield * chunks
}

async function collect (chunks: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const collected = []
  for await (const chunk of chunks) collected.push(chunk)
  return collected
}

t.test('any chunks come out of gunzip as they went in', async (t) => {
  const cases = [
    [],
    [Buffer.alloc(0)],
    [Buffer.from('a')],
    [Buffer.from('metric 1\n'), Buffer.alloc(0), Buffer.from('metric 2\n')],
    [Buffer.alloc(300_000, 'http_requests_total{status="200"} 1\n'), Buffer.from('é'.repeat(70_000)), Buffer.from([0, 255, 10])]
  ]
  for (const chunks of cases) {
    const gzipped = Buffer.concat(await collect(toGzip(each(chunks))))
    t.ok(gunzipSync(gzipped).equals(Buffer.concat(chunks)), `${chunks.length} chunks`)
  }
})

t.test('a chunk that several scrapes share is compressed once', async (t) => {
  const chunk = Buffer.alloc(100_000, 'metric 1\n')
  const [[, first], [, second]] = await Promise.all([collect(toGzip(each([chunk]))), collect(toGzip(each([chunk])))]) as [Buffer[], Buffer[]]
  t.ok(first)
  t.equal(first, second)
})
