import t from 'tap'
import http2 from 'node:http2'
import https from 'node:https'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import type { Test } from 'tap'
import { certificate } from '../support/certificate.ts'
import { start } from '../support/start.ts'
import type { Setup } from '../support/start.ts'
import { send } from '../support/send.ts'
import { RawClient } from '../support/raw-client.ts'
import { expectOnly, inProgress } from '../support/expect-only.ts'
import { eventually, gate } from '../support/gate.ts'
import type { Gate } from '../support/gate.ts'

const kinds: Record<string, { fastify: NonNullable<Setup['fastify']>, scheme: string }> = {
  'in clear': { fastify: { http2: true }, scheme: 'http' },
  'over TLS': { fastify: { http2: true, https: certificate }, scheme: 'https' },
  'over TLS with HTTP/1 allowed': { fastify: { http2: true, https: { ...certificate, allowHTTP1: true } }, scheme: 'https' }
}

async function openSession (t: Test, scheme: string, port: number): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false })
  session.on('error', () => {})
  t.teardown(() => session.destroy())
  await once(session, 'connect')
  return session
}

interface Answer {
  status: number
  size: number
}

/** One exchange, to its end. */
async function ask (session: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders, body?: string): Promise<Answer> {
  const stream = session.request(headers, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  const [head] = await once(stream, 'response') as [http2.IncomingHttpHeaders & { ':status': number }]
  let size = 0
  stream.on('data', (piece: Buffer) => { size += piece.length })
  await once(stream, 'close')
  return { status: head[':status'], size }
}

/** A stream whose failures are its own affair. */
function open (session: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders, endStream = true): http2.ClientHttp2Stream {
  const stream = session.request(headers, { endStream })
  stream.on('error', () => {})
  return stream
}

/** Resolves when a stream or session is closed, with or without an error. */
function closed (what: http2.ClientHttp2Stream | http2.ClientHttp2Session): Promise<unknown> {
  return what.destroyed ? Promise.resolve() : new Promise(resolve => what.once('close', resolve))
}

function stalled (): Readable {
  const stream = new Readable({ read () {} })
  stream.push('piece')
  return stream
}

for (const [how, { fastify, scheme }] of Object.entries(kinds)) {
  t.test(`counts HTTP/2 ${how}: answers, errors, uploads, what no route takes`, async t => {
    const { app, port } = await start(t, app => {
      app.get('/users/:id', () => 'üser')
      app.get('/none', (_, reply) => reply.code(204).send())
      app.get('/throws', () => { throw new Error('thrown') })
      app.get('/stream', () => Readable.from(['one', 'two']))
      app.get('/large', () => Buffer.alloc(300_000))
      app.get('/hijacked', (_, reply) => { reply.hijack(); reply.raw.writeHead(203); reply.raw.write('pie'); reply.raw.end('ces') })
      app.post('/echo', request => request.body as string)
      app.post('/early', { bodyLimit: 5 }, () => 'never')
      app.get('/slow', { handlerTimeout: 20 }, () => new Promise(() => {}))
      app.get('/gone/:id', (_, reply) => { reply.callNotFound() })
    }, { fastify })
    const session = await openSession(t, scheme, port)
    const text = { 'content-type': 'text/plain' }
    const answers = {
      user: await ask(session, { ':path': '/users/1' }),
      head: await ask(session, { ':path': '/users/1', ':method': 'HEAD' }),
      none: await ask(session, { ':path': '/none' }),
      throws: await ask(session, { ':path': '/throws' }),
      stream: await ask(session, { ':path': '/stream' }),
      large: await ask(session, { ':path': '/large' }),
      hijacked: await ask(session, { ':path': '/hijacked' }),
      echo: await ask(session, { ':path': '/echo', ':method': 'POST', ...text }, 'écho'),
      measured: await ask(session, { ':path': '/echo', ':method': 'POST', 'content-length': 3, ...text }, 'abc'),
      early: await ask(session, { ':path': '/early', ':method': 'POST', ...text }, 'too long'),
      slow: await ask(session, { ':path': '/slow' }),
      gone: await ask(session, { ':path': '/gone/1' }),
      lost: await ask(session, { ':path': '/nowhere' }),
      odd: await ask(session, { ':path': '/users/1', ':method': 'BREW' }),
      bad: await ask(session, { ':path': '/%E0%A4%A' }),
      long: await ask(session, { ':path': `/users/${'1'.repeat(200)}` })
    }
    t.strictSame(Object.values(answers).map(answer => answer.status),
      [200, 200, 204, 500, 200, 200, 203, 200, 200, 413, 503, 404, 404, 404, 400, 414])
    await expectOnly(t, app, [
      { endpoint: '/users/:id', status: 200, responseBytes: 5 },
      { method: 'HEAD', endpoint: '/users/:id', status: 200 },
      { endpoint: '/none', status: 204 },
      { endpoint: '/throws', status: 500, responseBytes: answers.throws.size, failure: 'handler_error' },
      { endpoint: '/stream', status: 200, responseBytes: 6 },
      { endpoint: '/large', status: 200, responseBytes: 300_000 },
      { endpoint: '/hijacked', status: 203, responseBytes: 6 },
      { method: 'POST', endpoint: '/echo', status: 200, times: 2, requestBytes: 8, responseBytes: 8 },
      { method: 'POST', endpoint: '/early', status: 413, requestBytes: 'any', responseBytes: answers.early.size, failure: 'parse_error' },
      { endpoint: '/slow', status: 503, responseBytes: answers.slow.size, failure: 'timeout' },
      { endpoint: 'unmatched', status: 404, times: 2, responseBytes: answers.gone.size + answers.lost.size },
      { method: '_OTHER', endpoint: 'unmatched', status: 404, responseBytes: answers.odd.size },
      { endpoint: 'unmatched', status: 400, responseBytes: answers.bad.size },
      { endpoint: 'unmatched', status: 414, responseBytes: answers.long.size }
    ])
  })

  t.test(`counts HTTP/2 ${how}: streams reset and sessions destroyed by the client`, async t => {
    let entered: Gate = gate()
    const { app, port } = await start(t, app => {
      app.addContentTypeParser('stream/handed', (_request, payload, done) => done(null, payload))
      app.get('/wait', () => { entered.open(); return new Promise(() => {}) })
      app.post('/consumed', () => { entered.open(); return new Promise(() => {}) })
      app.post('/cut', { onRequest: (_request, _reply, done) => { entered.open(); done() } }, () => 'never')
      app.post('/unread', () => { entered.open(); return new Promise(() => {}) })
      app.get('/stream', () => stalled())
      app.get('/hijacked', (_, reply) => { reply.hijack(); reply.raw.writeHead(203); reply.raw.write('piece') })
      app.get('/endless', () => new Readable({ read (size) { this.push(Buffer.alloc(size)) } }))
      app.get('/a', () => 'a')
    }, { fastify })
    const post = { ':method': 'POST', 'content-type': 'text/plain' }
    const before = async (session: http2.ClientHttp2Session): Promise<http2.ClientHttp2Stream[]> => {
      const streams: http2.ClientHttp2Stream[] = []
      const enter = async (stream: http2.ClientHttp2Stream, body?: string): Promise<void> => {
        streams.push(stream)
        if (body !== undefined) stream.write(body)
        await entered.promise
        entered = gate()
      }
      entered = gate()
      await enter(open(session, { ':path': '/wait' }))
      await enter(open(session, { ':path': '/wait', ':method': 'HEAD' }))
      const consumed = open(session, { ':path': '/consumed', ...post }, false)
      consumed.end('four')
      await enter(consumed)
      await enter(open(session, { ':path': '/cut', ...post, 'content-length': 100 }, false), 'four')
      await enter(open(session, { ':path': '/unread', ...post, 'content-type': 'stream/handed' }, false), 'four')
      return streams
    }
    const after = async (session: http2.ClientHttp2Session): Promise<http2.ClientHttp2Stream[]> => {
      const streams = ['/stream', '/hijacked', '/endless'].map(path => open(session, { ':path': path }))
      await Promise.all(streams.map(stream => once(stream, 'response')))
      return streams
    }
    const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR } = http2.constants
    for (const code of [NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR]) {
      const session = await openSession(t, scheme, port)
      const streams = [...await before(session), ...await after(session)]
      await Promise.all(streams.map(stream => { stream.close(code); return closed(stream) }))
      t.strictSame(await ask(session, { ':path': '/a' }), { status: 200, size: 1 })
    }
    for (const code of [NGHTTP2_NO_ERROR, NGHTTP2_CANCEL]) {
      const session = await openSession(t, scheme, port)
      await before(session)
      await after(session)
      // The server may hear of the last session's end later than the client.
      t.ok(await eventually(() => inProgress(app, 'GET', '/wait') === 1))
      session.destroy(undefined, code)
      await closed(session)
    }
    const gone = { status: 499, times: 4, failure: 'client_abort' }
    await expectOnly(t, app, [
      { endpoint: '/wait', ...gone },
      { method: 'HEAD', endpoint: '/wait', ...gone },
      { method: 'POST', endpoint: '/consumed', ...gone, requestBytes: 'any' },
      { method: 'POST', endpoint: '/cut', ...gone, requestBytes: 'any' },
      { method: 'POST', endpoint: '/unread', ...gone, requestBytes: 'any' },
      { endpoint: '/stream', ...gone },
      { endpoint: '/hijacked', ...gone },
      { endpoint: '/endless', ...gone },
      { endpoint: '/a', status: 200, times: 2, responseBytes: 2 }
    ])
  })

  t.test(`counts HTTP/2 ${how}: answers that the server breaks, and what takes too long`, async t => {
    const broken = gate()
    const { app, port } = await start(t, app => {
      const breaking = (destroy: (stream: Readable) => void): Readable => {
        const stream = stalled()
        broken.promise.then(() => destroy(stream))
        return stream
      }
      app.get('/early', () => new Readable({ read () { this.destroy(new Error('early')) } }))
      app.get('/error', (_, reply) => reply.code(203).send(breaking(stream => stream.destroy(new Error('late')))))
      app.get('/closed', () => breaking(stream => stream.destroy()))
      app.get('/web', () => new ReadableStream({
        start: controller => {
          controller.enqueue(Buffer.from('piece'))
          broken.promise.then(() => controller.error(new Error('late')))
        }
      }))
      app.get('/destroyed', (_, reply) => { reply.hijack(); reply.raw.writeHead(206); reply.raw.write('piece'); broken.promise.then(() => reply.raw.destroy()) })
    }, { fastify })
    const session = await openSession(t, scheme, port)
    const early = await ask(session, { ':path': '/early' })
    const streams = ['/error', '/closed', '/web', '/destroyed'].map(path => open(session, { ':path': path }))
    await Promise.all(streams.map(stream => once(stream, 'data')))
    broken.open()
    await Promise.all(streams.map(closed))
    await expectOnly(t, app, [
      { endpoint: '/early', status: 500, responseBytes: early.size, failure: 'handler_error' },
      { endpoint: '/error', status: 203, responseBytes: 5, failure: 'stream_error' },
      { endpoint: '/closed', status: 200, responseBytes: 5, failure: 'stream_error' },
      { endpoint: '/web', status: 200, responseBytes: 5, failure: 'stream_error' },
      { endpoint: '/destroyed', status: 206, responseBytes: 5, failure: 'stream_error' }
    ])
  })

  t.test(`counts HTTP/2 ${how}: a handler that never answers when the connection runs out of time`, async t => {
    const { app, port } = await start(t, app => {
      app.get('/wait', () => new Promise(() => {}))
      app.get('/stream', () => stalled())
    }, { fastify: { ...fastify, connectionTimeout: 50, http2SessionTimeout: 50 } })
    const session = await openSession(t, scheme, port)
    open(session, { ':path': '/wait' })
    open(session, { ':path': '/stream' })
    await closed(session)
    await expectOnly(t, app, ['/wait', '/stream'].map(endpoint => ({ endpoint, status: 499, failure: 'timeout' })))
  })

  t.test(`counts HTTP/2 ${how}: what Node answers before Fastify sees it`, async t => {
    const { app, port } = await start(t, app => { app.get('/a', () => 'a') }, { fastify })
    const session = await openSession(t, scheme, port)
    const expecting = await ask(session, { ':path': '/a', ':method': 'POST', expect: 'a-miracle' }, 'body')
    t.equal(expecting.status, 417)
    const connecting = await ask(session, { ':method': 'CONNECT', ':authority': 'example.org:80' })
    t.equal(connecting.status, 405)
    t.equal((await ask(session, { ':path': '/a', expect: '100-continue' })).status, 200)
    await expectOnly(t, app, [
      { method: 'POST', endpoint: 'malformed', status: 417, requestBytes: 'any' },
      { method: 'CONNECT', endpoint: 'unmatched', status: 405 },
      { endpoint: '/a', status: 200, responseBytes: 1 }
    ])
  })
}

t.test('counts a hijacked HTTP/2 stream that the application answers past the response object', async t => {
  const { app, port } = await start(t, app => {
    app.get('/past', (_, reply) => {
      reply.hijack()
      const { stream } = reply.raw as unknown as http2.Http2ServerResponse
      stream.respond({ ':status': 203 })
      stream.end('past')
    })
  }, { fastify: { http2: true } })
  const session = await openSession(t, 'http', port)
  t.strictSame(await ask(session, { ':path': '/past' }), { status: 203, size: 4 })
  await expectOnly(t, app, [{ endpoint: '/past', status: 203, responseBytes: 'any' }])
})

t.test('counts events over HTTP/2 as a connection while they are open', async t => {
  const { app, port } = await start(t, app => {
    app.get('/events', (_, reply) => { reply.hijack(); reply.raw.writeHead(200, { 'content-type': 'text/event-stream' }); reply.raw.write('data: 1\n\n') })
  }, { fastify: { http2: true } })
  const session = await openSession(t, 'http', port)
  const stream = open(session, { ':path': '/events' })
  await once(stream, 'data')
  t.equal(app.vitals.read('connections_active', { type: 'sse' }), 1)
  stream.close(http2.constants.NGHTTP2_CANCEL)
  await closed(stream)
  await expectOnly(t, app, [{ endpoint: '/events', status: 200, responseBytes: 9 }])
  t.equal(app.vitals.read('connections_active', { type: 'sse' }), 0)
})

const secure: Record<string, NonNullable<Setup['fastify']>> = {
  'an HTTPS server': { https: certificate },
  'an HTTP/2 server that allows HTTP/1': { http2: true, https: { ...certificate, allowHTTP1: true } }
}

for (const [what, fastify] of Object.entries(secure)) {
  t.test(`counts HTTP/1.1 of ${what} like any other`, async t => {
    let entered: Gate = gate()
    const { app, port } = await start(t, app => {
      app.get('/users/:id', () => 'user')
      app.post('/echo', request => request.body as string)
      app.get('/stream', () => stalled())
      app.get('/wait', () => { entered.open(); return new Promise(() => {}) })
      app.post('/cut', { onRequest: (_request, _reply, done) => { entered.open(); done() } }, () => 'never')
    }, { fastify })
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
    t.teardown(() => agent.destroy())
    for (let i = 0; i < 3; i++) await send({ port, path: `/users/${i}`, secure: true, agent })
    await send({ port, path: '/echo', method: 'POST', headers: { 'content-type': 'text/plain' }, body: ['éc', 'ho'], secure: true, agent })
    const bad = await send({ port, path: '/%', secure: true })
    t.equal(bad.status, 400)
    const target = { port, secure: true, alpn: 'http/1.1' }
    const pipelining = await RawClient.connect(target)
    await pipelining.write('GET /users/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /users/2 HTTP/1.1\r\nHost: x\r\n\r\n').until('user', 2)
    await pipelining.leave()
    const waiting = await RawClient.connect(target)
    waiting.write('GET /wait HTTP/1.1\r\nHost: x\r\n\r\n')
    await entered.promise
    await waiting.leave()
    entered = gate()
    const cut = await RawClient.connect(target)
    cut.write('POST /cut HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nfour')
    await entered.promise
    await cut.leave()
    const streaming = await RawClient.connect(target)
    await streaming.write('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n').until('piece')
    await streaming.leave()
    const garbled = await RawClient.connect(target)
    t.match(await garbled.write('nonsense\r\n\r\n').untilEnd(), 'HTTP/1.1 400 ')
    const clear = await RawClient.connect({ port })
    await clear.write('GET /users/1 HTTP/1.1\r\nHost: x\r\n\r\n').untilEnd()
    await expectOnly(t, app, [
      { endpoint: '/users/:id', status: 200, times: 5, responseBytes: 20 },
      { method: 'POST', endpoint: '/echo', status: 200, requestBytes: 5, responseBytes: 5 },
      { endpoint: 'unmatched', status: 400, responseBytes: bad.body.length },
      { endpoint: '/wait', status: 499, failure: 'client_abort' },
      { method: 'POST', endpoint: '/cut', status: 499, requestBytes: 'any', failure: 'client_abort' },
      { endpoint: '/stream', status: 499, failure: 'client_abort' },
      { method: '_OTHER', endpoint: 'malformed', status: 400, responseBytes: 'any', failure: 'parse_error' }
    ])
  })
}
