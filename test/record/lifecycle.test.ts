import fastify from 'fastify'
import type { FastifyRequest } from 'fastify'
import { once } from 'node:events'
import type { EventEmitter } from 'node:events'
import { connect, constants } from 'node:http2'
import type { Http2Server, ServerHttp2Stream } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import t from 'tap'
import { symbolOf } from '../../lib/contexts.ts'
import { attachRecorder } from '../../lib/record/attach.ts'
import { Recorder } from '../../lib/record/recorder.ts'
import { Registry } from '../../lib/series/registry.ts'
import { gate } from '../support/gate.ts'
import { RawClient } from '../support/raw-client.ts'
import { start } from '../support/start.ts'
import { send } from '../support/send.ts'
import { expectOnly } from '../support/expect-only.ts'

t.test('finds a property by its description, on the instance or what it inherits from', async t => {
  const symbol = Symbol('found')
  t.equal(symbolOf(Object.create({ [symbol]: 1 }) as object, 'found'), symbol)
  t.equal(symbolOf({}, 'found'), undefined)
})

/** An application whose own lists are out of sight: only what is public gets through. */
function hidden<T extends object> (app: T): T {
  return new Proxy(app, { ownKeys: target => Reflect.ownKeys(target).filter(key => typeof key === 'string') })
}

/** Waits for the end of a connection, whatever ends it. */
function closing (emitter: EventEmitter): Promise<unknown> {
  return new Promise(resolve => { emitter.once('close', resolve) })
}

function recorderOf (registry: Registry): Recorder {
  const labels = { method: 'method', endpoint: 'endpoint', status: 'status', reason: 'reason' }
  return new Recorder(registry, { labels, buckets: { duration: [1], size: [1] }, ignore: [] }, () => {})
}

t.test('makes do with the public hooks where the lists of Fastify are not found', async t => {
  const app = fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  const registry = new Registry()
  const entered = gate()
  const open = gate()
  app.addHook('onRequest', async (request, reply) => {
    if (request.url === '/refused') return reply.code(401).send('earlier')
    if (request.url === '/pending') {
      entered.open()
      await open.promise
    }
  })
  attachRecorder(hidden(app), recorderOf(registry))
  const arrived = gate()
  app.addHook('preHandler', async () => arrived.open())
  app.get('/refused', () => 'never')
  app.get('/pending', () => 'late')
  app.get('/plain', () => 'plain')
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo

  t.equal((await send({ port, path: '/refused' })).status, 401)
  t.equal(registry.read('http_requests_total', { method: 'GET', endpoint: '/refused', status: '401' }), 1)

  const closed = once(app.server, 'connection').then(([socket]) => closing(socket as Socket))
  const client = await RawClient.connect({ port })
  client.write('GET /pending HTTP/1.1\r\nHost: x\r\n\r\n')
  await entered.promise
  await client.reset()
  await closed
  open.open()
  await arrived.promise
  t.equal(registry.read('http_requests_total', { method: 'GET', endpoint: 'unmatched', status: '499' }), 1, 'no hook knew its route')
  t.equal(registry.read('http_requests_in_progress', { method: 'GET', endpoint: '/pending' }), undefined, 'what comes after the end is not in progress')

  t.equal((await send({ port, path: '/plain' })).status, 200)
  t.equal(registry.read('http_requests_total', { method: 'GET', endpoint: '/plain', status: '200' }), 1)
})

t.test('finds the route by what is public where Fastify keeps it elsewhere', async t => {
  const { routes } = recorderOf(new Registry())
  const request = { routeOptions: { config: {}, url: '/there', method: 'GET' } } as unknown as FastifyRequest
  t.equal(routes.of(request)?.endpoint, '/there')
  t.equal(routes.of(request), routes.of(request))
})

t.test('a disabled plugin takes reports of limiters and counts nothing', async t => {
  const { app, port } = await start(t, app => {
    app.get('/', request => {
      app.vitals.rateLimiter.allowed({ request })
      return 'allowed'
    })
  }, { vitals: { enabled: false } })
  t.equal((await send({ port, path: '/' })).status, 200)
  t.equal(await app.vitals.render(), '')
})

t.test('an event stream that begins after its client has left is no connection', async t => {
  const entered = gate()
  const left = gate()
  const { app, port } = await start(t, app => {
    app.get('/events', async (_request, reply) => {
      reply.hijack()
      entered.open()
      await left.promise
      reply.raw.writeHead(200, { 'content-type': 'text/event-stream' })
      reply.raw.end('data: one\n\n')
    })
  })
  const closed = once(app.server, 'connection').then(([socket]) => closing(socket as Socket))
  const client = await RawClient.connect({ port })
  client.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n')
  await entered.promise
  await client.reset()
  await closed
  left.open()
  await expectOnly(t, app, [{ endpoint: '/events', status: 499, failure: 'client_abort' }])
  t.equal(app.vitals.read('connections_total', { type: 'sse' }), undefined)
})

t.test('routes with the same buckets of their own share a shape', async t => {
  const { app, port } = await start(t, app => {
    const config = { vitals: { buckets: { duration: [1, 2] } } }
    app.get('/a', { config }, () => 'a')
    app.get('/b', { config }, () => 'b')
  })
  await send({ port, path: '/a' })
  await send({ port, path: '/b' })
  const { banks } = app.vitals.registry.snapshot().families.find(({ name }) => name === 'http_request_duration_seconds')!
  t.strictSame(banks.map(({ bounds, series }) => [bounds.length, series.length]), [[12, 0], [2, 2]])
})

t.test('a CONNECT over HTTP/2 that the application takes and drops is counted', async t => {
  const { app, port } = await start(t, app => {
    (app.server as unknown as Http2Server).on('connect' as never, (({ stream }: { stream: ServerHttp2Stream }) => stream.close(constants.NGHTTP2_REFUSED_STREAM)) as never)
  }, { fastify: { http2: true } })
  const session = connect(`http://127.0.0.1:${port}`)
  t.teardown(() => session.close())
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'x:1' })
  stream.on('error', () => {})
  await closing(stream)
  await expectOnly(t, app, [{ method: 'CONNECT', endpoint: 'unmatched', status: 499 }])
})

t.test('a mistake in the configuration of a route that was declared before is a warning, and the route is counted', async t => {
  const lines: string[] = []
  const { app, port } = await start(t, () => {}, {
    fastify: { logger: { level: 'warn', stream: { write: (line: string) => { lines.push(line) } } } },
    before: app => { app.get('/early', { config: { vitals: { endpoint: 5 } as never } }, () => 'early') }
  })
  await send({ port, path: '/early' })
  await expectOnly(t, app, [{ endpoint: '/early', status: 200, responseBytes: 5 }])
  t.match(lines.join('\n'), /endpoint of route|route \/early/)
})

t.test('a handlerTimeout after the head is a timeout under the status that was sent', async t => {
  const { app, port } = await start(t, app => {
    app.get('/slow', { handlerTimeout: 20 }, (_request, reply) => { reply.raw.write('begun'); return new Promise(() => {}) })
  })
  await t.rejects(send({ port, path: '/slow' }))
  await expectOnly(t, app, [{ endpoint: '/slow', status: 200, responseBytes: 5, failure: 'timeout' }])
})
