import { gunzipSync } from 'node:zlib'
import compress from '@fastify/compress'
import swagger from '@fastify/swagger'
import Fastify from 'fastify'
import t from 'tap'
import { registerEndpoint } from '../../lib/endpoint/endpoint.ts'
import { bearer, get, logOf, serve, settings, smallSource, sourceOf } from './support.ts'

const TEXT = 'requests_total 1\n# prometheus\n'
const OPENMETRICS = 'requests_total 1\n# openmetrics\n'
const openMetrics = { accept: 'application/openmetrics-text;version=1.0.0,*/*;q=0.1' }
const protobuf = { accept: 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,*/*;q=0.1' }
const PROTOBUF_TYPE = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'
const gzip = { 'accept-encoding': 'gzip' }

t.test('serves the format and the coding that were asked for, and says which', async (t) => {
  const { url } = await serve(t)
  const cases = [
    { ask: {}, type: 'text/plain; version=0.0.4; charset=utf-8', coding: undefined, text: TEXT },
    { ask: openMetrics, type: 'application/openmetrics-text; version=1.0.0; charset=utf-8', coding: undefined, text: OPENMETRICS },
    { ask: gzip, type: 'text/plain; version=0.0.4; charset=utf-8', coding: 'gzip', text: TEXT },
    { ask: { ...openMetrics, ...gzip }, type: 'application/openmetrics-text; version=1.0.0; charset=utf-8', coding: 'gzip', text: OPENMETRICS },
    { ask: protobuf, type: PROTOBUF_TYPE, coding: undefined, text: TEXT.replace('prometheus', 'protobuf') },
    { ask: { ...protobuf, ...gzip }, type: PROTOBUF_TYPE, coding: 'gzip', text: TEXT.replace('prometheus', 'protobuf') }
  ]
  for (const { ask, type, coding, text } of cases) {
    const { status, headers, body } = await get(url, { ...bearer, ...ask })
    t.equal(status, 200)
    t.equal(headers['content-type'], type)
    t.equal(headers['content-encoding'], coding)
    t.equal(headers['cache-control'], 'no-store')
    t.equal(headers.vary, 'Accept, Accept-Encoding')
    t.equal(String(coding === undefined ? body : gunzipSync(body)), text)
  }
})

t.test('HEAD has the headers of GET, no body, and renders nothing', async (t) => {
  const exposition = smallSource()
  const { url } = await serve(t, { exposition })
  for (const ask of [{}, openMetrics, gzip, { ...openMetrics, ...gzip }, protobuf, { ...protobuf, ...gzip }]) {
    const head = await get(url, { ...bearer, ...ask }, { method: 'HEAD' })
    t.equal(head.body.length, 0)
    t.equal(exposition.started, 0)
    const { headers } = await get(url, { ...bearer, ...ask })
    exposition.started = 0
    delete headers['transfer-encoding']
    t.match(head.headers, { ...headers, date: String })
  }
  t.equal((await get(url, {}, { method: 'HEAD' })).status, 401)
})

t.test('other methods of the path are the application\'s, which may receive OTLP there', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await registerEndpoint(app, settings())
  app.post('/v1/metrics', async () => 'received')
  const ask = async (method: 'POST' | 'PUT' | 'DELETE' | 'OPTIONS') => (await app.inject({ method, url: '/v1/metrics', headers: bearer })).statusCode
  t.same([await ask('POST'), await ask('PUT'), await ask('DELETE'), await ask('OPTIONS')], [200, 404, 404, 404])
})

t.test('adds to what varies already', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.addHook('onRequest', async (_request, reply) => { reply.header('vary', 'Origin') })
  await registerEndpoint(app, settings())
  const { headers } = await app.inject({ url: '/v1/metrics', headers: bearer })
  t.equal(headers.vary, 'Origin, Accept, Accept-Encoding')
})

t.test('is not in the application\'s OpenAPI document', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(swagger, { openapi: {} })
  await registerEndpoint(app, settings())
  app.get('/things', async () => [])
  await app.ready()
  t.same(Object.keys(app.swagger().paths ?? {}), ['/things'])
})

t.test('compresses once where the application compresses everything', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(compress, { threshold: 0 })
  await registerEndpoint(app, settings())
  app.get('/things', async () => 'thing '.repeat(1000))
  const ask = (url: string, coding: string) => app.inject({ url, headers: { ...bearer, 'accept-encoding': coding } })
  t.equal(String(gunzipSync((await ask('/v1/metrics', 'gzip')).rawPayload)), TEXT)
  t.equal((await ask('/v1/metrics', 'br')).body, TEXT)
  t.equal((await ask('/things', 'br')).headers['content-encoding'], 'br')
})

t.test('an empty exposition is an empty answer', async (t) => {
  const { url } = await serve(t, { exposition: sourceOf(() => []) })
  t.equal((await get(url, bearer)).body.length, 0)
  t.equal(gunzipSync((await get(url, { ...bearer, ...gzip })).body).length, 0)
})

t.test('tells of each scrape that was handed over its time and the size of its text', async (t) => {
  const told: [number, number][] = []
  const onScrape = (...measures: [number, number]) => { told.push(measures) }
  const { url } = await serve(t, { onScrape })
  await get(url, bearer)
  await get(url, { ...bearer, ...gzip })
  await get(url, bearer, { method: 'HEAD' })
  await get(url)
  t.same(told.map(([, size]) => size), [TEXT.length, TEXT.length])
  t.ok(told.every(([duration]) => duration > 0 && duration < 60), 'in seconds')
})

t.test('a rendering that fails before its first byte is a 500 without details', async (t) => {
  const { lines, logger } = logOf('error')
  const exposition = sourceOf(() => { throw new Error('a collector broke') })
  const { url } = await serve(t, { exposition }, { logger })
  for (const coding of [{}, gzip]) {
    const { status, headers, body } = await get(url, { ...bearer, ...coding })
    t.equal(status, 500)
    t.equal(headers['content-encoding'], undefined)
    t.equal(String(body), 'Internal Server Error\n')
  }
  t.equal(lines.filter((line) => line.includes('a collector broke')).length, 2)
})

t.test('a rendering that fails later cuts the connection, so that nobody takes it for whole', async (t) => {
  const told: number[] = []
  const exposition = sourceOf(async function * () {
    yield Buffer.from('requests_total 1\n')
    throw new Error('a collector broke')
  })
  const { url } = await serve(t, { exposition, onScrape: (_duration, size) => { told.push(size) } })
  for (const coding of [{}, gzip]) await t.rejects(get(url, { ...bearer, ...coding }), { code: 'ECONNRESET' })
  t.same(told, [])
})

t.test('many scrapes at a time are all served in full', async (t) => {
  const lines = Array.from({ length: 8 }, (_, i) => Buffer.from(`requests_total{endpoint="/${i}"} ${i}\n`.repeat(500)))
  const text = Buffer.concat(lines)
  const exposition = sourceOf(() => lines)
  const { url } = await serve(t, { exposition, rateLimit: false })
  const scrapes = Array.from({ length: 100 }, async (_, i) => {
    const { body } = await get(url, { ...bearer, ...(i % 2 === 0 ? gzip : {}) })
    return (i % 2 === 0 ? gunzipSync(body) : body).equals(text)
  })
  t.ok((await Promise.all(scrapes)).every(Boolean))
  t.equal(exposition.stopped, 100)
})
