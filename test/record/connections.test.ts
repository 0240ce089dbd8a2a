import t from 'tap'
import websocket from '@fastify/websocket'
import { fastifySSE } from '@fastify/sse'
import WebSocket from 'ws'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { start } from '../support/start.ts'
import { send } from '../support/send.ts'
import { RawClient } from '../support/raw-client.ts'
import { expectOnly, inProgress } from '../support/expect-only.ts'
import { eventually, gate } from '../support/gate.ts'

interface Wanted {
  active: number
  total: number
  /** Connections that have ended. */
  ended?: number
}

/** Compares the connections set of one type, once the closing of connections has come through. */
async function expectConnections (t: Test, app: FastifyInstance, type: string, { active, total, ended = total - active }: Wanted): Promise<void> {
  const read = (): unknown => ({
    active: app.vitals.read('connections_active', { type }) ?? 0,
    total: app.vitals.read('connections_total', { type }) ?? 0,
    ended: (app.vitals.read('connections_duration_seconds', { type }) as { count: number } | undefined)?.count ?? 0
  })
  const wanted = { active, total, ended }
  await eventually(() => JSON.stringify(read()) === JSON.stringify(wanted))
  t.strictSame(read(), wanted, `${type} connections`)
}

async function openWebSocket (port: number, path: string): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${port}${path}`)
  await once(client, 'open')
  return client
}

/** The status with which an upgrade is refused. */
async function refusedWith (port: number, path: string): Promise<number> {
  const client = new WebSocket(`ws://127.0.0.1:${port}${path}`)
  client.on('error', () => {})
  const [, response] = await once(client, 'unexpected-response')
  response.resume()
  await once(response, 'close')
  return response.statusCode
}

for (const order of ['before', 'after'] as const) {
  t.test(`counts a WebSocket as 101 once it is open, with @fastify/websocket registered ${order} the plugin`, async t => {
    const { app, port } = await start(t, async app => {
      if (order === 'after') await app.register(websocket)
      app.get('/rooms/:room', { websocket: true }, socket => { socket.on('message', (message: Buffer) => socket.send(`echo ${message}`)) })
    }, { before: async app => { if (order === 'before') await app.register(websocket) } })
    const first = await openWebSocket(port, '/rooms/1')
    const second = await openWebSocket(port, '/rooms/2')
    await expectOnly(t, app, [{ endpoint: '/rooms/:room', status: 101, times: 2 }], 'counted while open')
    await expectConnections(t, app, 'websocket', { active: 2, total: 2 })
    for (const text of ['a', 'b', 'c']) {
      first.send(text)
      const [answer] = await once(first, 'message')
      t.equal(String(answer), `echo ${text}`)
    }
    t.equal(app.vitals.read('connections_messages_sent_total', { type: 'websocket' }), 3)
    first.close()
    await once(first, 'close')
    await expectConnections(t, app, 'websocket', { active: 1, total: 2 })
    second.terminate()
    await expectConnections(t, app, 'websocket', { active: 0, total: 2 })
    await expectOnly(t, app, [{ endpoint: '/rooms/:room', status: 101, times: 2 }], 'its end is no abort')
  })
}

t.test('counts WebSockets that the server closes, breaks or loses when it closes itself', async t => {
  const { app, port } = await start(t, async app => {
    await app.register(websocket)
    app.get('/close', { websocket: true }, socket => { socket.close() })
    app.get('/terminate', { websocket: true }, socket => { socket.terminate() })
    app.get('/throw', { websocket: true }, async () => { throw new Error('in the handler') })
    app.get('/stay', { websocket: true }, () => {})
  })
  for (const path of ['/close', '/terminate', '/throw']) {
    const client = new WebSocket(`ws://127.0.0.1:${port}${path}`)
    client.on('error', () => {})
    await once(client, 'close')
  }
  await expectConnections(t, app, 'websocket', { active: 0, total: 3 })
  const stays = await openWebSocket(port, '/stay')
  await expectConnections(t, app, 'websocket', { active: 1, total: 4 })
  const closed = once(stays, 'close')
  await app.close()
  await closed
  await expectConnections(t, app, 'websocket', { active: 0, total: 4 })
  await expectOnly(t, app, ['/close', '/terminate', '/throw', '/stay'].map(endpoint => ({ endpoint, status: 101 })))
})

t.test('counts a refused upgrade as the answer that was sent, and no connection', async t => {
  const { app, port } = await start(t, async app => {
    await app.register(websocket)
    app.get('/guarded', { websocket: true, preValidation: async (_, reply) => reply.code(401).send('no') }, () => {})
    app.get('/failing', { websocket: true, onRequest: async () => { throw new Error('no') } }, () => {})
    app.get('/plain', () => 'plain')
  })
  t.equal(await refusedWith(port, '/guarded'), 401)
  t.equal(await refusedWith(port, '/failing'), 500)
  t.equal(await refusedWith(port, '/nowhere'), 404)
  const asked = await send({ port, path: '/guarded' })
  t.equal(asked.status, 401)
  await expectOnly(t, app, [
    { endpoint: '/guarded', status: 401, times: 2, responseBytes: 4 },
    { endpoint: '/failing', status: 500, responseBytes: 'any', failure: 'handler_error' },
    { endpoint: 'unmatched', status: 404, responseBytes: 'any' }
  ])
  await expectConnections(t, app, 'websocket', { active: 0, total: 0 })
})

t.test('counts a handshake that is wrong as 400, and a plain GET of a WebSocket route as what it gets', async t => {
  const { app, port } = await start(t, async app => {
    await app.register(websocket)
    app.get('/ws', { websocket: true }, () => {})
  })
  const client = await RawClient.connect({ port })
  t.match(await client.write('GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n').untilEnd(), 'HTTP/1.1 400 ')
  t.equal((await send({ port, path: '/ws' })).status, 404)
  await expectOnly(t, app, [
    { endpoint: '/ws', status: 400, responseBytes: 'any' },
    { endpoint: '/ws', status: 404, responseBytes: 'any' }
  ])
  await expectConnections(t, app, 'websocket', { active: 0, total: 0 })
})

t.test('counts an upgrade whose client leaves before it is done as 499', async t => {
  const entered = gate()
  const { app, port } = await start(t, async app => {
    await app.register(websocket)
    app.get('/ws', { websocket: true, preValidation: () => { entered.open(); return new Promise(() => {}) } }, () => {})
  })
  const client = await RawClient.connect({ port })
  client.write('GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
  await entered.promise
  t.equal(inProgress(app, 'GET', '/ws'), 1)
  await client.reset()
  await expectOnly(t, app, [{ endpoint: '/ws', status: 499, failure: 'client_abort' }])
  await expectConnections(t, app, 'websocket', { active: 0, total: 0 })
})

const kSse = 'GET /events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n'

const eventRoutes: Record<string, (app: FastifyInstance, close: Promise<void>) => unknown> = {
  'written by hand': (app, close) => app.get('/events', (_, reply) => {
    reply.hijack()
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
    reply.raw.write('data: one\n\n')
    close.then(() => reply.raw.end('data: two\n\n'))
  }),
  'of which only the head is sent yet': (app, close) => app.get('/events', (_, reply) => {
    reply.hijack()
    reply.raw.setHeader('Content-Type', 'text/event-stream; charset=utf-8')
    reply.raw.flushHeaders()
    close.then(() => reply.raw.end('data: one\n\ndata: two\n\n'))
  }),
  'that begin with nothing': (app, close) => app.get('/events', (_, reply) => {
    reply.hijack()
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' })
    reply.raw.write('')
    reply.raw.write('data: one\n\n')
    close.then(() => reply.raw.end('data: two\n\n'))
  }),
  'sent as a stream': (app, close) => app.get('/events', (_, reply) => {
    return reply.type('text/event-stream').send(Readable.from((async function * () { yield 'data: one\n\n'; await close; yield 'data: two\n\n' })()))
  }),
  'of @fastify/sse': async (app, close) => {
    await app.register(fastifySSE)
    app.get('/events', { sse: true }, async (_, reply) => {
      reply.sse.keepAlive()
      await reply.sse.send({ data: 'one' })
      close.then(async () => { await reply.sse.send({ data: 'two' }); reply.sse.close() })
    })
  }
}

for (const [what, addRoute] of Object.entries(eventRoutes)) {
  t.test(`counts server-sent events ${what} as a connection while they are open`, async t => {
    const ended = gate()
    const { app, port } = await start(t, app => addRoute(app, ended.promise))
    const client = await RawClient.connect({ port })
    await client.write(kSse).until('text/event-stream')
    await expectConnections(t, app, 'sse', { active: 1, total: 1 })
    t.equal(inProgress(app, 'GET', '/events'), 1)
    ended.open()
    const text = await client.until('0\r\n\r\n')
    t.match(text, '200 OK')
    await expectOnly(t, app, [{ endpoint: '/events', status: 200, responseBytes: what === 'of @fastify/sse' ? 26 : 22 }])
    await expectConnections(t, app, 'sse', { active: 0, total: 1 })
    await client.leave()
  })

  t.test(`counts server-sent events ${what} as sent when the client closes them, which is how they end`, async t => {
    const { app, port } = await start(t, app => addRoute(app, new Promise(() => {})))
    for (const way of ['leave', 'reset'] as const) {
      const client = await RawClient.connect({ port })
      await client.write(kSse).until('text/event-stream')
      await client[way]()
    }
    await expectOnly(t, app, [{ endpoint: '/events', status: 200, times: 2, responseBytes: 'any' }])
    await expectConnections(t, app, 'sse', { active: 0, total: 2 })
  })
}

t.test('takes no other answer for server-sent events', async t => {
  const { app, port } = await start(t, async app => {
    await app.register(fastifySSE)
    app.get('/stream', () => Readable.from(['one', 'two']))
    app.get('/refused', { sse: 'only' }, () => 'never')
    app.get('/dual', { sse: 'dual' }, () => 'plain')
    app.get('/head', (_, reply) => reply.type('text/event-stream').send(Readable.from(['data: one\n\n'])))
  })
  await send({ port, path: '/stream' })
  const refused = await send({ port, path: '/refused', headers: { accept: 'application/json' } })
  await send({ port, path: '/dual' })
  await send({ port, path: '/head', method: 'HEAD' })
  await expectOnly(t, app, [
    { endpoint: '/stream', status: 200, responseBytes: 6 },
    { endpoint: '/refused', status: 406, responseBytes: refused.body.length },
    { endpoint: '/dual', status: 200, responseBytes: 5 },
    { method: 'HEAD', endpoint: '/head', status: 200 }
  ])
  await expectConnections(t, app, 'sse', { active: 0, total: 0 })
})
