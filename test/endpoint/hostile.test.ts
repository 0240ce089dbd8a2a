import { once } from 'node:events'
import { connect as connectHttp2, constants } from 'node:http2'
import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import Fastify from 'fastify'
import t from 'tap'
import { registerEndpoint } from '../../lib/endpoint/endpoint.ts'
import { bearer, get, logOf, open, scrapeText, serve, settings, sourceOf, statusOf } from './support.ts'
import type { CountedSource } from './support.ts'

const CHUNK = Buffer.alloc(65_536, 'requests_total 1\n')

/** More than any socket buffers. */
function endless (): CountedSource {
  return sourceOf(function * () { for (;;) yield CHUNK })
}

const soon = { ...bearer, 'x-prometheus-scrape-timeout-seconds': '0.2' }

t.test('a scraper that stops reading is cut off at the deadline, while others are served', async (t) => {
  for (const coding of [{}, { 'accept-encoding': 'gzip' }]) {
    const exposition = endless()
    const { lines, logger } = logOf('warn')
    const { url } = await serve(t, { exposition }, { logger })
    const socket = await open(t, url)
    socket.pause().write(scrapeText({ ...soon, ...coding }))
    await exposition.until(({ chunks }) => chunks > 0)
    t.equal(await statusOf(url), 401)
    await exposition.until(({ stopped }) => stopped === 1)
    t.match(lines.join(''), 'metrics scrape cut off: not done within 0.2 s')
    const { chunks } = exposition
    for (let i = 0; i < 10; i++) await setImmediate()
    t.equal(exposition.chunks, chunks, 'nothing is rendered any more')
    const closed = new Promise((resolve) => { socket.once('close', resolve) })
    socket.resume()
    await closed
  }
})

t.test('no more is rendered than a stalled scraper takes', async (t) => {
  const exposition = endless()
  const { url } = await serve(t, { exposition })
  const socket = await open(t, url)
  socket.pause().write(scrapeText(soon))
  await exposition.until(({ stopped }) => stopped === 1)
  t.ok(exposition.chunks * CHUNK.length < 64_000_000, 'socket buffers, not seconds of rendering')
})

t.test('a scraper that disconnects stops the rendering at once', async (t) => {
  for (const coding of [{}, { 'accept-encoding': 'gzip' }]) {
    const exposition = endless()
    const { url } = await serve(t, { exposition })
    const socket = await open(t, url)
    socket.write(scrapeText({ ...bearer, ...coding }))
    await once(socket, 'data')
    socket.destroy()
    await exposition.until(({ stopped }) => stopped === 1)
    t.equal(exposition.started, 1)
  }
})

t.test('a rendering that hangs is given up at the deadline: 503 before the first byte, a cut connection after', async (t) => {
  const never = new Promise<never>(() => {})
  const before = await serve(t, { exposition: sourceOf(async function * () { yield await never }) })
  const { status, body } = await get(before.url, soon)
  t.equal(status, 503)
  t.equal(String(body), 'Service Unavailable\n')
  const after = await serve(t, { exposition: sourceOf(async function * () { yield CHUNK; await never }) })
  await t.rejects(get(after.url, soon), { code: 'ECONNRESET' })
})

t.test('a scraper that leaves before the first byte is forgotten', async (t) => {
  let go!: () => void
  const gate = new Promise<void>((resolve) => { go = resolve })
  const exposition = sourceOf(async function * () { await gate; yield CHUNK })
  const { url, app } = await serve(t, { exposition })
  const closed = new Promise((resolve) => { app.server.once('connection', (connection) => connection.once('close', resolve)) })
  const socket = await open(t, url)
  socket.write(scrapeText())
  await exposition.until(({ started }) => started === 1)
  socket.destroy()
  await closed
  go()
  await exposition.until(({ stopped }) => stopped === 1)
  t.equal(await statusOf(url, bearer), 200)
})

t.test('a deadline that nobody can mean is not taken at its word', async (t) => {
  const { url } = await serve(t)
  for (const timeout of ['', '0', '-1', 'NaN', 'Infinity', '1e308', 'ten', '1'.repeat(5000), '9, 9']) {
    t.equal(await statusOf(url, { ...bearer, 'x-prometheus-scrape-timeout-seconds': timeout }), 200, timeout.slice(0, 20))
  }
})

t.test('an exposition that cannot be stopped is logged, and harms nobody', async (t) => {
  const { lines, logger } = logOf('error')
  const exposition = {
    scrape: () => ({
      next: async () => ({ done: false, value: CHUNK }),
      return: async () => { throw new Error('stuck') },
      [Symbol.asyncIterator] () { return this }
    })
  }
  const { url } = await serve(t, { exposition }, { logger })
  const socket = await open(t, url)
  socket.write(scrapeText())
  await once(socket, 'data')
  socket.destroy()
  while (!lines.some((line) => line.includes('could not be stopped cleanly'))) await once(logger.stream, 'line')
  t.equal(await statusOf(url, {}), 401)
})

t.test('closing the application does not wait long for a scraper that does not read', async (t) => {
  const exposition = endless()
  const { lines, logger } = logOf('warn')
  const { url, app } = await serve(t, { exposition }, { logger })
  const socket = await open(t, url)
  socket.pause().write(scrapeText({ ...bearer, 'x-prometheus-scrape-timeout-seconds': '100' }))
  await exposition.until(({ chunks }) => chunks > 0)
  await app.close()
  await exposition.until(({ stopped }) => stopped === 1)
  t.match(lines.join(''), 'metrics scrape cut off: the application is closing')
})

t.test('closing the application gives a scraper no more time than it had', async (t) => {
  const exposition = endless()
  const { lines, logger } = logOf('warn')
  const { url, app } = await serve(t, { exposition }, { logger })
  const socket = await open(t, url)
  socket.pause().write(scrapeText(soon))
  await exposition.until(({ chunks }) => chunks > 0)
  await app.close()
  await exposition.until(({ stopped }) => stopped === 1)
  t.match(lines.join(''), 'metrics scrape cut off: not done within 0.2 s')
})

t.test('a hook of the application that holds a scrape past its deadline gets it 503', async (t) => {
  const exposition = endless()
  const { logger } = logOf('warn')
  const app = Fastify({ logger })
  t.teardown(() => app.close())
  app.addHook('preHandler', async () => { await once(logger.stream, 'line') })
  await registerEndpoint(app, settings({ exposition }))
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  t.equal(await statusOf(`${origin}/v1/metrics`, soon), 503)
  t.equal(exposition.started, exposition.stopped)
})

t.test('a queue of pipelined scrapes on a connection that dies is forgotten whole', async (t) => {
  const exposition = endless()
  const { url } = await serve(t, { exposition })
  const socket = await open(t, url)
  socket.write(scrapeText(soon).repeat(3))
  await exposition.until(({ started }) => started === 3)
  socket.destroy()
  await exposition.until(({ stopped }) => stopped === 3)
  t.equal(exposition.started, 3)
})

t.test('two thousand connections that ask at the same time are answered, and leave nothing behind', async (t) => {
  const exposition = sourceOf(() => [Buffer.from('requests_total 1\n')])
  const { url, app } = await serve(t, { exposition, rateLimit: { max: 500, timeWindow: 600_000 } })
  const sockets: Socket[] = []
  while (sockets.length < 2000) sockets.push(...await Promise.all(Array.from({ length: 100 }, () => open(t, url))))
  const patient = { 'x-prometheus-scrape-timeout-seconds': '120', connection: 'close' }
  const counts: Record<string, number> = {}
  await Promise.all(sockets.map(async (socket, i) => {
    socket.write(scrapeText({ ...patient, ...(i % 2 === 0 ? bearer : { authorization: `Bearer ${i}` }) }))
    const chunks = []
    for await (const chunk of socket) chunks.push(chunk)
    const status = Buffer.concat(chunks).toString('latin1', 9, 12)
    counts[status] = (counts[status] ?? 0) + 1
  }))
  t.same(counts, { 200: 500, 401: 500, 429: 1000 })
  t.equal(exposition.stopped, 500)
  await app.close()
  t.equal(app.server.listening, false)
})

t.test('headers past the server\'s limit are refused before they reach the endpoint', async (t) => {
  const { url } = await serve(t)
  for (const name of ['accept', 'authorization', 'accept-encoding', 'x-prometheus-scrape-timeout-seconds']) {
    t.equal(await statusOf(url, { ...bearer, [name]: 'x'.repeat(20_000) }), 431, name)
  }
  t.equal(await statusOf(url, bearer), 200)
})

t.test('works and is cut off over HTTP/2 too', async (t) => {
  const exposition = endless()
  const app = Fastify({ http2: true })
  t.teardown(() => app.close())
  await registerEndpoint(app as never, settings({ exposition }))
  const session = connectHttp2(await app.listen({ port: 0, host: '127.0.0.1' }))
  t.teardown(() => session.destroy())
  const stream = session.request({ [constants.HTTP2_HEADER_PATH]: '/v1/metrics', ...soon })
  const [headers] = await once(stream, 'response')
  t.equal(headers[constants.HTTP2_HEADER_STATUS], 200)
  await once(stream.resume(), 'close')
  t.equal(exposition.stopped, 1)
})
