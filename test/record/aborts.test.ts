import t from 'tap'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { start } from '../support/start.ts'
import { send } from '../support/send.ts'
import { RawClient } from '../support/raw-client.ts'
import { expectOnly, inProgress } from '../support/expect-only.ts'
import { eventually, gate, turn } from '../support/gate.ts'
import type { Gate } from '../support/gate.ts'

const ways: Record<string, (client: RawClient) => unknown> = {
  'closes the connection': client => client.leave(),
  'resets the connection': client => client.reset(),
  'half-closes the connection': client => { client.halfClose(); return client.untilEnd() }
}

const kPost = 'HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n'

/** A stream that gives one piece and then nothing more. */
function stalled (): Readable {
  const stream = new Readable({ read () {} })
  stream.push('piece')
  return stream
}

/** Leaves in the given way, and waits until the server has noticed. */
async function leaveNoticed (client: RawClient, connection: Socket, way: 'leave' | 'reset'): Promise<void> {
  const gone = once(connection, 'close').catch(() => {})
  await client[way]()
  await gone
}

async function connect (app: FastifyInstance, port: number): Promise<{ client: RawClient, connection: Socket }> {
  const connected = once(app.server, 'connection')
  const client = await RawClient.connect({ port })
  const [connection] = await connected as [Socket]
  return { client, connection }
}

/** Handlers that never answer, each of which says when it has been entered. */
function addWaitingRoutes (app: FastifyInstance, entered: () => void): void {
  const forever = (): Promise<never> => { entered(); return new Promise(() => {}) }
  app.addContentTypeParser('stream/handed', (_request, payload, done) => done(null, payload))
  app.get('/wait', forever)
  app.post('/consumed', forever)
  app.post('/unread', forever)
  app.get('/hook/pre-handler', { preHandler: forever }, () => 'never')
  app.get('/hook/on-request', { onRequest: forever }, () => 'never')
  app.post('/hook/pre-parsing', { preParsing: forever }, () => 'never')
  app.get('/hook/on-send', { onSend: forever }, () => 'never')
  app.get('/callback', () => { entered() })
  app.get('/hijacked', (_, reply) => { reply.hijack(); entered() })
  app.setNotFoundHandler(forever)
}

const waiting: Record<string, string> = {
  'GET /wait': 'GET /wait HTTP/1.1\r\nHost: x\r\n\r\n',
  'HEAD /wait': 'HEAD /wait HTTP/1.1\r\nHost: x\r\n\r\n',
  'POST /consumed': `POST /consumed ${kPost}four`,
  'POST /unread': 'POST /unread HTTP/1.1\r\nHost: x\r\nContent-Type: stream/handed\r\nContent-Length: 4\r\n\r\nfour',
  'GET /hook/pre-handler': 'GET /hook/pre-handler HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /hook/on-request': 'GET /hook/on-request HTTP/1.1\r\nHost: x\r\n\r\n',
  'POST /hook/pre-parsing': `POST /hook/pre-parsing ${kPost}four`,
  'GET /hook/on-send': 'GET /hook/on-send HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /callback': 'GET /callback HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /hijacked': 'GET /hijacked HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET unmatched': 'GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n'
}

for (const [way, leave] of Object.entries(ways)) {
  t.test(`counts 499 when the client ${way} before the answer, wherever the request is`, async t => {
    let entered: Gate = gate()
    const { app, port } = await start(t, app => addWaitingRoutes(app, () => entered.open()))
    for (const bytes of Object.values(waiting)) {
      entered = gate()
      const client = await RawClient.connect({ port })
      client.write(bytes)
      await entered.promise
      await leave(client)
    }
    await expectOnly(t, app, Object.keys(waiting).map(route => {
      const [method, endpoint] = route.split(' ') as [string, string]
      return { method, endpoint, status: 499, failure: 'client_abort', requestBytes: method === 'POST' ? 'any' as const : 0 }
    }))
  })

  t.test(`counts 499 when the client ${way} in the middle of the body`, async t => {
    const { app, port } = await start(t, app => {
      app.get('/stream', (_, reply) => reply.send(stalled()))
      app.get('/web', () => new Response(new ReadableStream({ start: controller => controller.enqueue(Buffer.from('piece')) })))
      app.get('/length', (_, reply) => reply.header('content-length', 100).send(stalled()))
      app.get('/unmatched', (_, reply) => { reply.callNotFound() })
      app.setNotFoundHandler((_, reply) => reply.send(stalled()))
      app.get('/hijacked', (_, reply) => { reply.hijack(); reply.raw.writeHead(203); reply.raw.write('piece') })
    })
    const paths = ['/stream', '/web', '/length', '/hijacked', '/unmatched']
    for (const path of paths) {
      const client = await RawClient.connect({ port })
      await client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).until('piece')
      await leave(client)
    }
    await expectOnly(t, app, paths.map(path => ({ endpoint: path.replace('/un', 'un'), status: 499, failure: 'client_abort' })))
  })

  t.test(`counts 499 when the client ${way} in the middle of its upload`, async t => {
    let entered: Gate = gate()
    const { app, port } = await start(t, app => {
      app.addContentTypeParser('stream/handed', (_request, payload, done) => done(null, payload))
      app.addHook('onRequest', (_request, _reply, done) => { entered.open(); done() })
      app.post('/parsed', () => 'never')
      app.post('/read', async request => {
        let length = 0
        for await (const piece of request.body as Readable) length += (piece as Buffer).length
        return length
      })
      app.post('/unread', () => new Promise(() => {}))
    })
    const lengths = ['Content-Length: 100\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n64\r\n']
    for (const [path, type] of [['/parsed', 'text/plain'], ['/read', 'stream/handed'], ['/unread', 'stream/handed'], ['/nowhere', 'text/plain']]) {
      for (const length of lengths) {
        entered = gate()
        const client = await RawClient.connect({ port })
        client.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\n${length}0123456789`)
        await entered.promise
        await leave(client)
      }
    }
    await expectOnly(t, app, ['/parsed', '/read', '/unread', 'unmatched'].map(endpoint => (
      { method: 'POST', endpoint, status: 499, times: 2, failure: 'client_abort', requestBytes: 'any' }
    )))
  })
}

t.test('counts an abort while a hook of an earlier plugin is still pending, under the template', async t => {
  let entered: Gate = gate()
  let pending: Gate = gate()
  const { app, port } = await start(t, app => {
    app.get('/users/:id', () => 'user')
    app.post('/users', () => 'made')
  }, {
    before: app => app.addHook('onRequest', async () => { entered.open(); await pending.promise })
  })
  for (const goesOn of [false, true]) {
    for (const bytes of ['GET /users/1 HTTP/1.1\r\nHost: x\r\n\r\n', `POST /users ${kPost}four`]) {
      entered = gate()
      pending = gate()
      const { client, connection } = await connect(app, port)
      client.write(bytes)
      await entered.promise
      await leaveNoticed(client, connection, 'reset')
      if (goesOn) pending.open()
    }
  }
  await expectOnly(t, app, [
    { endpoint: '/users/:id', status: 499, times: 2, failure: 'client_abort' },
    { method: 'POST', endpoint: '/users', status: 499, times: 2, failure: 'client_abort', requestBytes: 'any' }
  ])
})

t.test('counts once when the handler answers, streams, throws or hijacks after the client left', async t => {
  let entered: Gate = gate()
  let left: Gate = gate()
  let handled: Gate = gate()
  const { app, port } = await start(t, app => {
    const wait = async (): Promise<void> => { entered.open(); await left.promise; setImmediate(handled.open) }
    app.get('/send', async () => { await wait(); return 'too late' })
    app.get('/reply', async (_, reply) => { await wait(); return reply.code(201).send({ too: 'late' }) })
    app.get('/stream', async () => { await wait(); return Readable.from(['too', 'late']) })
    app.get('/throw', async () => { await wait(); throw new Error('too late') })
    app.get('/hijack', async (_, reply) => { await wait(); reply.hijack(); reply.raw.end('too late') })
    app.post('/post', async () => { await wait(); return 'too late' })
  })
  const requests = ['GET /send', 'GET /reply', 'GET /stream', 'GET /throw', 'GET /hijack', 'POST /post']
  for (const request of requests) {
    entered = gate()
    left = gate()
    handled = gate()
    const { client, connection } = await connect(app, port)
    client.write(request === 'POST /post' ? `POST /post ${kPost}four` : `${request} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await entered.promise
    await leaveNoticed(client, connection, 'reset')
    left.open()
    await handled.promise
  }
  await expectOnly(t, app, requests.map(request => {
    const [method, endpoint] = request.split(' ') as [string, string]
    return { method, endpoint, status: 499, failure: 'client_abort', requestBytes: method === 'POST' ? 'any' as const : 0 }
  }))
})

t.test('counts 499 when the client leaves an upload that nobody reads, which the server notices only when it answers', async t => {
  let entered: Gate = gate()
  let left: Gate = gate()
  const { app, port } = await start(t, app => {
    app.addContentTypeParser('stream/handed', (_request, payload, done) => done(null, payload))
    app.post('/unread', async () => { entered.open(); await left.promise; return Buffer.alloc(16 * 1024 * 1024) })
  })
  for (const way of ['leave', 'reset'] as const) {
    entered = gate()
    left = gate()
    const client = await RawClient.connect({ port })
    client.write('POST /unread HTTP/1.1\r\nHost: x\r\nContent-Type: stream/handed\r\nContent-Length: 300000\r\n\r\n' + 'x'.repeat(299_000))
    await entered.promise
    await client[way]()
    left.open()
  }
  await expectOnly(t, app, [{ method: 'POST', endpoint: '/unread', status: 499, times: 2, failure: 'client_abort', requestBytes: 'any' }])
})

t.test('counts 499 when the client stops reading a large answer and leaves', async t => {
  const size = 48 * 1024 * 1024
  let entered: Gate = gate()
  const { app, port } = await start(t, app => {
    app.addHook('onSend', async () => { setImmediate(entered.open) })
    app.get('/buffer', () => Buffer.alloc(size))
    app.get('/stream', (_, reply) => reply.send(new Readable({ read (wanted) { this.push(Buffer.alloc(wanted)) } })))
    app.get('/raw', (_, reply) => { reply.hijack(); reply.raw.write(Buffer.alloc(size)); reply.raw.end(Buffer.alloc(10)); entered.open() })
  })
  for (const path of ['/buffer', '/stream', '/raw']) {
    for (const way of ['leave', 'reset'] as const) {
      entered = gate()
      const { client, connection } = await connect(app, port)
      client.socket.pause()
      client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
      await entered.promise
      await leaveNoticed(client, connection, way)
    }
  }
  await expectOnly(t, app, ['/buffer', '/stream', '/raw'].map(endpoint => ({ endpoint, status: 499, times: 2, failure: 'client_abort' })))
})

t.test('counts the whole of a large answer that the client takes slowly', async t => {
  const size = 8 * 1024 * 1024
  const { app, port } = await start(t, app => { app.get('/large', () => Buffer.alloc(size)) })
  const client = await RawClient.connect({ port })
  client.write('GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  for (let i = 0; i < 5; i++) {
    await once(client.socket, 'data')
    client.socket.pause()
    await turn()
    client.socket.resume()
  }
  await client.untilEnd()
  await expectOnly(t, app, [{ endpoint: '/large', status: 200, responseBytes: size }])
})

t.test('counts every pipelined request of a client that leaves, answered, running or queued', async t => {
  const entered = gate()
  let ended = 0
  const { app, port } = await start(t, app => {
    app.get('/quick/:n', () => { ended++; return 'quick' })
    app.get('/wait/:n', () => { entered.open(); return new Promise(() => {}) })
    app.post('/queued/:n', () => { ended++; return 'queued' })
    app.get('/last/:n', () => new Promise(() => {}))
  })
  for (const way of ['leave', 'reset'] as const) {
    const client = await RawClient.connect({ port })
    const before = ended
    client.write('GET /quick/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /wait/1 HTTP/1.1\r\nHost: x\r\n\r\n' +
      `POST /queued/1 ${kPost}fourPOST /queued/2 ${kPost}fourGET /last/1 HTTP/1.1\r\nHost: x\r\n\r\n`)
    await client.until('quick')
    await entered.promise
    await eventually(() => ended === before + 3)
    t.equal(inProgress(app, 'GET', '/wait/:n'), 1)
    await client[way]()
    await eventually(() => inProgress(app, 'GET', '/wait/:n') === 0)
  }
  await expectOnly(t, app, [
    { endpoint: '/quick/:n', status: 200, times: 2, responseBytes: 10 },
    { endpoint: '/wait/:n', status: 499, times: 2, failure: 'client_abort' },
    { method: 'POST', endpoint: '/queued/:n', status: 499, times: 4, failure: 'client_abort', requestBytes: 'any' },
    { endpoint: '/last/:n', status: 499, times: 2, failure: 'client_abort' }
  ])
})

t.test('counts the aborted request of a kept-alive connection apart from the good ones before it', async t => {
  let entered: Gate = gate()
  const { app, port } = await start(t, app => {
    app.get('/a', () => 'good')
    app.get('/wait', () => { entered.open(); return new Promise(() => {}) })
  })
  for (const way of ['leave', 'reset'] as const) {
    entered = gate()
    const client = await RawClient.connect({ port })
    await client.write('GET /a HTTP/1.1\r\nHost: x\r\n\r\n').until('good')
    await client.write('GET /a HTTP/1.1\r\nHost: x\r\n\r\n').until('good', 2)
    client.write('GET /wait HTTP/1.1\r\nHost: x\r\n\r\n')
    await entered.promise
    await client[way]()
  }
  await send({ port, path: '/a' })
  await expectOnly(t, app, [
    { endpoint: '/a', status: 200, times: 5, responseBytes: 20 },
    { endpoint: '/wait', status: 499, times: 2, failure: 'client_abort' }
  ])
})

t.test('counts an upload that turns malformed under its route, and not as malformed too', async t => {
  let entered: Gate = gate()
  const { app, port } = await start(t, app => {
    app.addContentTypeParser('stream/handed', (_request, payload, done) => done(null, payload))
    app.addHook('onRequest', (_request, _reply, done) => { entered.open(); done() })
    app.post('/parsed', () => 'never')
    app.post('/unread', () => new Promise(() => {}))
  })
  for (const [path, type] of [['/parsed', 'text/plain'], ['/unread', 'stream/handed']]) {
    entered = gate()
    const client = await RawClient.connect({ port })
    client.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n`)
    await entered.promise
    await client.write('not a length\r\n').untilEnd()
  }
  await expectOnly(t, app, ['/parsed', '/unread'].map(endpoint => (
    { method: 'POST', endpoint, status: 400, failure: 'parse_error', requestBytes: 'any', responseBytes: 'any' }
  )))
})

t.test('counts a handler that never answers as 499 for a timeout when the connection runs out of time', async t => {
  const { app, port } = await start(t, app => {
    addWaitingRoutes(app, () => {})
    app.get('/stalled', (_, reply) => reply.send(stalled()))
    app.get('/a', () => 'good')
  }, { fastify: { connectionTimeout: 400, keepAliveTimeout: 400 } })
  const requests = { ...waiting, 'GET /stalled': 'GET /stalled HTTP/1.1\r\nHost: x\r\n\r\n' }
  await Promise.all(Object.values(requests).map(async bytes => (await RawClient.connect({ port })).write(bytes).untilEnd()))
  const idle = await RawClient.connect({ port })
  await idle.write('GET /a HTTP/1.1\r\nHost: x\r\n\r\n').untilEnd()
  await expectOnly(t, app, [
    ...Object.keys(requests).map(route => {
      const [method, endpoint] = route.split(' ') as [string, string]
      return { method, endpoint, status: 499, failure: 'timeout', requestBytes: method === 'POST' ? 'any' as const : 0 }
    }),
    { endpoint: '/a', status: 200, responseBytes: 4 }
  ])
})

t.test('counts a timeout as one also where the application watches for it', async t => {
  const { app, port } = await start(t, app => {
    app.addHook('onTimeout', async () => { await turn() })
    app.addHook('onRequestAbort', async _request => { await turn() })
    app.get('/wait', () => new Promise(() => {}))
  }, { fastify: { connectionTimeout: 400, keepAliveTimeout: 400 } })
  await (await RawClient.connect({ port })).write('GET /wait HTTP/1.1\r\nHost: x\r\n\r\n').untilEnd()
  await expectOnly(t, app, [{ endpoint: '/wait', status: 499, failure: 'timeout' }])
})

t.test('counts an upload that takes too long as the 408 that the client gets', async t => {
  const { app, port } = await start(t, app => { app.post('/parsed', () => 'never') }, {
    fastify: { requestTimeout: 40, http: { headersTimeout: 40, connectionsCheckingInterval: 10 } }
  })
  const client = await RawClient.connect({ port })
  await client.write('POST /parsed HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n0123456789').untilEnd()
  await expectOnly(t, app, [{ method: 'POST', endpoint: '/parsed', status: 408, failure: 'timeout', requestBytes: 'any', responseBytes: 'any' }])
})
