import t from 'tap'
import http2 from 'node:http2'
import type { IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { start } from '../support/start.ts'
import { RawClient } from '../support/raw-client.ts'
import { sum, toLedger } from '../support/expect-only.ts'
import { parseSamples } from '../support/samples.ts'
import { Random } from '../support/random.ts'
import { eventually, turn } from '../support/gate.ts'

/**
 * Books kept apart from the plugin's: what the server announces, what the client sent where Node announces nothing, and,
 * for clients that stay to the end, each answer they got.
 */
class Books {
  /** Requests that the server announced. */
  announced = 0
  /** What a client sent, and saw refused, of which no `request` event tells. */
  refused = 0
  /** Answers that clients waited for. */
  readonly answers: Record<string, number> = {}

  answered (route: string, status: number | string): void {
    const key = `${route} ${status}`
    this.answers[key] = (this.answers[key] ?? 0) + 1
  }

  get total (): number {
    return this.announced + this.refused
  }
}

function addRoutes (app: FastifyInstance, random: Random): void {
  app.addContentTypeParser('stream/handed', (_request, payload, done) => done(null, payload))
  app.addHook('onRequest', async () => { if (random.below(4) === 0) await turn() })
  for (const mood of ['/calm', '/rough']) {
    app.get(`${mood}/text/:id`, () => 'text')
    app.get(`${mood}/later/:id`, async () => { for (let i = random.below(5); i >= 0; i--) await turn(); return { later: true } })
    app.get(`${mood}/throws/:id`, async () => { throw new Error('thrown') })
    app.get(`${mood}/none/:id`, (_, reply) => reply.code(204).send())
    app.get(`${mood}/stream/:id`, () => Readable.from((async function * () { for (let i = 0; i < 3; i++) { yield 'piece'; await turn() } })()))
    app.get(`${mood}/hijacked/:id`, (_, reply) => { reply.hijack(); reply.raw.writeHead(202); reply.raw.write('one'); setImmediate(() => reply.raw.end('two')) })
    app.post(`${mood}/echo/:id`, request => request.body as string)
    app.post(`${mood}/unread/:id`, () => 'unread')
    app.get(`${mood}/breaks/:id`, () => Readable.from((async function * () { yield 'piece'; await turn(); throw new Error('late') })()))
  }
  app.get('/calm/last', () => 'the last of all')
  app.get('/rough/never/:id', () => new Promise(() => {}))
}

const calm = { text: 200, later: 200, throws: 500, none: 204, stream: 200, hijacked: 202, echo: 200 } as const

/** The bytes of a request, and the route and status that its answer should have. */
function toRequest (random: Random, mood: string, kind: string, id: number): string {
  const method = kind === 'echo' || kind === 'unread' ? 'POST' : 'GET'
  const head = `${method} /${mood}/${kind}/${id} HTTP/1.1\r\nHost: x\r\n`
  if (method === 'GET') return `${head}\r\n`
  const type = kind === 'unread' ? 'stream/handed' : 'text/plain'
  const body = 'x'.repeat(1 + random.below(200))
  return random.below(2) === 0
    ? `${head}Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    : `${head}Content-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
}

/** Asks for one to six things at once, waits for all answers, and books each. */
async function stay (port: number, random: Random, books: Books, id: number): Promise<void> {
  const client = await RawClient.connect({ port })
  const kinds = Array.from({ length: 1 + random.below(6) }, () => random.pick(Object.keys(calm) as (keyof typeof calm)[]))
  client.write(kinds.map(kind => toRequest(random, 'calm', kind, id)).join(''))
  const text = await client.until('HTTP/1.1 ', kinds.length)
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(match => match[1]!)
  kinds.forEach((kind, i) => books.answered(`${kind === 'echo' ? 'POST' : 'GET'} /calm/${kind}/:id`, statuses[i]!))
  await finish(client, random, books)
}

/** Waits for a last answer, so that the server has nothing left to do, and ends the connection, at times with what Node refuses. */
async function finish (client: RawClient, random: Random, books: Books): Promise<void> {
  await client.write('GET /calm/last HTTP/1.1\r\nHost: x\r\n\r\n').until('the last of all')
  books.answered('GET /calm/last', 200)
  const end = random.pick(['nonsense\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n', 'HEAD /calm/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'])
  if (end.startsWith('HEAD')) books.answered('HEAD /calm/last', 200)
  else books.refused++
  await client.write(end).untilEnd()
}

/** Asks for things, some of which never come, and leaves at some moment in some way. */
async function leave (port: number, random: Random, id: number): Promise<void> {
  const client = await RawClient.connect({ port })
  const kinds = ['text', 'later', 'throws', 'none', 'stream', 'hijacked', 'echo', 'unread', 'breaks', 'never']
  let bytes = ''
  for (let i = random.below(6); i >= 0; i--) bytes += toRequest(random, 'rough', random.pick(kinds), id)
  bytes += random.pick([
    '',
    `GET /nowhere/${id} HTTP/1.1\r\nHost: x\r\n\r\n`,
    'GET /%E0%A4%A HTTP/1.1\r\nHost: x\r\n\r\n',
    'POST /rough/echo/1 HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\ncut',
    'POST /rough/echo/1 HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ncut',
    'POST /rough/unread/1 HTTP/1.1\r\nHost: x\r\nContent-Type: stream/handed\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfive!\r\nwrong\r\n'
  ])
  client.write(bytes)
  for (let i = random.below(12); i > 0; i--) await turn()
  const way = random.pick(['leave', 'reset', 'halfClose'] as const)
  await client[way]()
  await client.untilEnd()
}

/** Compares all books once the server is at rest. */
async function compare (t: Test, app: FastifyInstance, books: Books): Promise<Record<string, number>> {
  const read = async (): Promise<ReturnType<typeof toLedger>> => toLedger(parseSamples(await app.vitals.render()))
  await eventually(async () => {
    const { requests, inProgress } = await read()
    return sum(requests) >= books.total && sum(inProgress) === 0
  })
  for (let i = 0; i < 20; i++) await turn()
  const { requests, durations, requestSizes, responseSizes, inProgress, failures } = await read()
  t.equal(sum(requests), books.total, 'all fates together are the requests that the server saw')
  t.strictSame(inProgress, {}, 'none is in progress')
  t.strictSame(durations, requests)
  t.equal(sum(requestSizes), books.total)
  t.equal(sum(responseSizes), books.total)
  const calmOnly = Object.fromEntries(Object.entries(requests).filter(([key]) => key.includes(' /calm/')))
  t.strictSame(calmOnly, books.answers, 'who stayed to the end was counted as answered')
  const of = (counts: Record<string, number>, end: string): number => sum(Object.fromEntries(Object.entries(counts).filter(([key]) => key.endsWith(end))))
  t.equal(of(failures, ' client_abort'), of(requests, ' 499'), 'each 499 has its reason')
  return requests
}

t.test('keeps the same books as the server over some 10,000 requests of clients that stay, leave and misbehave', async t => {
  const random = new Random(20_261_121)
  const books = new Books()
  const { app, port } = await start(t, app => addRoutes(app, random))
  app.server.prependListener('request', () => books.announced++)
  let connections = 0
  const work = async (): Promise<void> => {
    while (books.total < 10_000) {
      const id = connections++
      if (random.below(2) === 0) await stay(port, random, books, id)
      else await leave(port, random, id)
    }
  }
  await Promise.all(Array.from({ length: 16 }, work))
  const open = (): Promise<number> => new Promise(resolve => app.server.getConnections((_, count) => resolve(count)))
  t.ok(await eventually(async () => await open() === 0), 'all connections are closed')
  const requests = await compare(t, app, books)
  for (const key of ['unmatched 404', 'unmatched 400', 'malformed 400', 'echo/:id 499', 'never/:id 499', 'breaks/:id 200']) {
    t.ok(Object.keys(requests).some(seen => seen.endsWith(key)), `has seen ${key}`)
  }
})

t.test('keeps the same books as the server over HTTP/2 streams that end, break and are reset', async t => {
  const random = new Random(7)
  const books = new Books()
  const { app, port } = await start(t, app => addRoutes(app, random), { fastify: { http2: true } })
  app.server.prependListener('request', (_: IncomingMessage) => books.announced++)
  const sessions = Array.from({ length: 8 }, async () => {
    while (books.announced < 2_000) {
      const session = http2.connect(`http://127.0.0.1:${port}`)
      session.on('error', () => {})
      await once(session, 'connect')
      const streams = Array.from({ length: 30 }, async (_, id) => {
        const stays = random.below(2) === 0
        const kind = random.pick([...Object.keys(calm), ...stays ? [] : ['unread', 'breaks', 'never']])
        const isPost = kind === 'echo' || kind === 'unread'
        const stream = session.request({
          ':path': `/${stays ? 'calm' : 'rough'}/${kind}/${id}`,
          ':method': isPost ? 'POST' : 'GET',
          ...isPost && { 'content-type': kind === 'echo' ? 'text/plain' : 'stream/handed' }
        }, { endStream: !isPost })
        const closed = new Promise(resolve => stream.once('close', resolve))
        stream.on('error', () => {})
        stream.on('response', headers => { if (stays) books.answered(`${isPost ? 'POST' : 'GET'} /calm/${kind}/:id`, headers[':status']!) })
        stream.resume()
        if (isPost) stream.write('body')
        if (isPost && stays) stream.end()
        if (!stays) {
          for (let i = random.below(10); i > 0; i--) await turn()
          stream.close(random.pick([http2.constants.NGHTTP2_CANCEL, http2.constants.NGHTTP2_INTERNAL_ERROR]))
        }
        await closed
      })
      await Promise.all(streams)
      session.destroy()
    }
  })
  await Promise.all(sessions)
  await compare(t, app, books)
})
