import t from 'tap'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyError, FastifyReply } from 'fastify'
import { start } from '../support/start.ts'
import { send } from '../support/send.ts'
import { RawClient } from '../support/raw-client.ts'
import { expectOnly } from '../support/expect-only.ts'
import { gate } from '../support/gate.ts'

t.test('counts what no route matches under one endpoint, however many URLs a scanner tries', async t => {
  const { app, port } = await start(t, app => { app.get('/known', () => 'known') })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  t.teardown(() => agent.destroy())
  let bytes = 0
  for (let i = 0; i < 500; i++) {
    const { status, body } = await send({ port, path: `/wp-${i}/${'x'.repeat(i % 50)}.php?q=${i}`, agent })
    t.equal(status, 404)
    bytes += body.length
  }
  const posted = await send({ port, path: '/known', method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'four' })
  await send({ port, path: '/unknown', method: 'HEAD' })
  const options = await send({ port, path: '*', method: 'OPTIONS' })
  await expectOnly(t, app, [
    { endpoint: 'unmatched', status: 404, times: 500, responseBytes: bytes },
    { method: 'POST', endpoint: 'unmatched', status: 404, requestBytes: 4, responseBytes: posted.body.length },
    { method: 'HEAD', endpoint: 'unmatched', status: 404 },
    { method: 'OPTIONS', endpoint: 'unmatched', status: 404, responseBytes: options.body.length }
  ])
})

t.test('counts custom 404 handlers as unmatched, with the status they send', async t => {
  const { app, port } = await start(t, async app => {
    app.setNotFoundHandler((_, reply) => reply.code(410).send('root'))
    await app.register(async child => {
      child.setNotFoundHandler({ preHandler: (_request, _reply, done) => done() }, async (_, reply) => reply.code(200).send('child page'))
      child.get('/known', () => 'known')
    }, { prefix: '/child' })
    await app.register(async child => {
      child.setNotFoundHandler(() => { throw new Error('not even that') })
    }, { prefix: '/broken' })
    await app.register(async child => {
      child.addHook('onRequest', async (_, reply) => reply.code(403).send('hook'))
      child.setNotFoundHandler(() => 'never')
    }, { prefix: '/guarded' })
  })
  await send({ port, path: '/nowhere' })
  await send({ port, path: '/child/nowhere' })
  await send({ port, path: '/child/known' })
  await send({ port, path: '/guarded/nowhere' })
  const broken = await send({ port, path: '/broken/nowhere' })
  await expectOnly(t, app, [
    { endpoint: 'unmatched', status: 410, responseBytes: 4 },
    { endpoint: 'unmatched', status: 200, responseBytes: 10 },
    { endpoint: '/child/known', status: 200, responseBytes: 5 },
    { endpoint: 'unmatched', status: 403, responseBytes: 4 },
    { endpoint: 'unmatched', status: 500, responseBytes: broken.body.length, failure: 'handler_error' }
  ])
})

t.test('counts a route that calls the 404 handler as unmatched, once', async t => {
  const { app, port } = await start(t, async app => {
    app.addHook('preHandler', (_request, _reply, done) => done())
    app.get('/users/:id', (_, reply) => { reply.callNotFound() })
    app.post('/late/:id', async (_, reply) => { await null; reply.callNotFound(); return reply })
    app.get('/hook/:id', { preHandler: (_, reply) => { reply.callNotFound() } }, () => 'never')
    await app.register(async child => {
      child.setNotFoundHandler((_, reply) => reply.code(404).send('custom'))
      child.get('/:id', (_, reply) => { reply.callNotFound() })
    }, { prefix: '/child' })
  })
  const user = await send({ port, path: '/users/1' })
  const late = await send({ port, path: '/late/1', method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x' })
  const hook = await send({ port, path: '/hook/1' })
  await send({ port, path: '/child/1' })
  await expectOnly(t, app, [
    { endpoint: 'unmatched', status: 404, times: 3, responseBytes: user.body.length + hook.body.length + 6 },
    { method: 'POST', endpoint: 'unmatched', status: 404, requestBytes: 1, responseBytes: late.body.length }
  ])
})

t.test('counts a method that OpenTelemetry does not know as _OTHER', async t => {
  const { app, port } = await start(t, app => { app.get('/known', () => 'known') })
  let bytes = 0
  for (const method of ['PURGE', 'M-SEARCH', 'PROPFIND', 'UNSUBSCRIBE']) {
    const answer = await send({ port, path: '/known', method })
    t.equal(answer.status, 404, method)
    bytes += answer.body.length
  }
  const made = await RawClient.connect({ port })
  const refused = await made.write('BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n').untilEnd()
  t.match(refused, 'HTTP/1.1 400 ')
  await expectOnly(t, app, [
    { method: '_OTHER', endpoint: 'unmatched', status: 404, times: 4, responseBytes: bytes },
    { method: '_OTHER', endpoint: 'malformed', status: 400, responseBytes: 'any', failure: 'parse_error' }
  ])
})

t.test('counts bad URLs and over-long parameters, which run no hook, as unmatched', async t => {
  const { app, port } = await start(t, app => {
    app.get('/users/:id', () => 'user')
    app.post('/users/:id', () => 'user')
  })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const bad = await send({ port, path: '/users/%E0%A4%A', agent })
  await send({ port, path: '/users/1', agent })
  const long = await send({ port, path: `/users/${'1'.repeat(200)}`, agent })
  const posted = await send({ port, path: '/%', method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'four', agent })
  await send({ port, path: '/%', method: 'HEAD', agent })
  t.strictSame([bad.status, long.status, posted.status], [400, 414, 400])
  await expectOnly(t, app, [
    { endpoint: 'unmatched', status: 400, responseBytes: bad.body.length },
    { endpoint: '/users/:id', status: 200, responseBytes: 4 },
    { endpoint: 'unmatched', status: 414, responseBytes: long.body.length },
    { method: 'POST', endpoint: 'unmatched', status: 400, requestBytes: 'any', responseBytes: posted.body.length },
    { method: 'HEAD', endpoint: 'unmatched', status: 400 }
  ])
})

t.test('counts the bad URLs that the application answers itself, with the status it sends', async t => {
  const { app, port } = await start(t, app => { app.get('/users/:id', () => 'user') }, {
    fastify: {
      frameworkErrors: (error: FastifyError, _: unknown, reply: unknown) => {
        (reply as FastifyReply).code(error.code === 'FST_ERR_BAD_URL' ? 422 : 421).send('ours')
      }
    }
  })
  await send({ port, path: '/%' })
  await send({ port, path: `/users/${'1'.repeat(200)}` })
  await expectOnly(t, app, [
    { endpoint: 'unmatched', status: 422, responseBytes: 4 },
    { endpoint: 'unmatched', status: 421, responseBytes: 4 }
  ])
})

t.test('counts a router constraint that fails, where no hook runs either', async t => {
  const constraint = {
    name: 'secret',
    storage: () => {
      const stored = new Map<string, unknown>()
      return { get: (key: string) => (stored.get(key) ?? null) as null, set: (key: string, value: unknown) => { stored.set(key, value) } }
    },
    deriveConstraint: ((_request: unknown, _context: unknown, done: (error: Error) => void) => done(new Error('no constraint'))) as never
  }
  const { app, port } = await start(t, app => {
    app.get('/a', { constraints: { secret: 'alpha' } }, () => 'a')
  }, { fastify: { routerOptions: { constraints: { secret: constraint } } } })
  const { status, body } = await send({ port, path: '/a' })
  t.equal(status, 500)
  await expectOnly(t, app, [{ endpoint: 'unmatched', status: 500, responseBytes: body.length }])
})

const kMalformed: Record<string, string> = {
  'no HTTP at all': 'hello\r\n\r\n',
  'a TLS handshake': '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03',
  'an unknown version': 'GET / HTTP/9.9\r\nHost: x\r\n\r\n',
  'a header without a name': 'GET / HTTP/1.1\r\nHost: x\r\n: nameless\r\n\r\n',
  'a NUL in a header': 'GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n',
  'two ways to say the length': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
  'a length that is none': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
  'a bare line feed where none may be': 'GET / HTTP/1.1\nHost: x\n\n'
}

t.test('counts malformed bytes, once per connection they end', async t => {
  const { app, port } = await start(t, app => { app.get('/', () => 'root') })
  for (const [what, bytes] of Object.entries(kMalformed)) {
    const client = await RawClient.connect({ port })
    t.match(await client.write(bytes).untilEnd(), 'HTTP/1.1 400 ', what)
  }
  await expectOnly(t, app, [
    { method: '_OTHER', endpoint: 'malformed', status: 400, times: Object.keys(kMalformed).length, responseBytes: 'any', failure: 'parse_error' }
  ])
})

t.test('counts a head that is too large as 431 and one that breaks off as 400', async t => {
  const { app, port } = await start(t, app => { app.get('/', () => 'root') })
  const large = await RawClient.connect({ port })
  t.match(await large.write(`GET / HTTP/1.1\r\nHost: x\r\nLarge: ${'x'.repeat(20_000)}\r\n\r\n`).untilEnd(), 'HTTP/1.1 431 ')
  const short = await RawClient.connect({ port })
  short.write('GET / HTT').halfClose()
  t.match(await short.untilEnd(), 'HTTP/1.1 400 ')
  await expectOnly(t, app, [
    { method: '_OTHER', endpoint: 'malformed', status: 431, responseBytes: 'any', failure: 'parse_error' },
    { method: '_OTHER', endpoint: 'malformed', status: 400, responseBytes: 'any', failure: 'parse_error' }
  ])
})

t.test('counts no request for a connection that carries none', async t => {
  const { app, port } = await start(t, app => { app.get('/', () => 'root') })
  const silent = await RawClient.connect({ port })
  await silent.leave()
  const polite = await RawClient.connect({ port })
  polite.halfClose()
  await polite.untilEnd()
  const rude = await RawClient.connect({ port })
  await rude.reset()
  const cut = await RawClient.connect({ port })
  const accepted = gate()
  cut.socket.write('GET / HT', () => accepted.open())
  await accepted.promise
  await send({ port, path: '/' })
  await cut.reset()
  await expectOnly(t, app, [{ endpoint: '/', status: 200, responseBytes: 4 }])
})

t.test('counts both the request that was good and what came malformed after it', async t => {
  const { app, port } = await start(t, app => { app.get('/', () => 'root') })
  const after = await RawClient.connect({ port })
  await after.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n').until('root')
  t.match(await after.write('nonsense\r\n\r\n').untilEnd(), 'HTTP/1.1 400 ')
  const together = await RawClient.connect({ port })
  const text = await together.write('GET / HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n').untilEnd()
  t.match(text, 'root')
  await expectOnly(t, app, [
    { endpoint: '/', status: 200, times: 2, responseBytes: 8 },
    { method: '_OTHER', endpoint: 'malformed', status: 400, times: 2, responseBytes: 'any', failure: 'parse_error' }
  ])
})

t.test('counts a request whose client breaks the connection with malformed bytes as aborted', async t => {
  const entered = gate()
  const { app, port } = await start(t, app => {
    app.get('/wait', () => { entered.open(); return new Promise(() => {}) })
  })
  const client = await RawClient.connect({ port })
  client.write('GET /wait HTTP/1.1\r\nHost: x\r\n\r\n')
  await entered.promise
  await client.write('nonsense\r\n\r\n').untilEnd()
  await expectOnly(t, app, [
    { endpoint: '/wait', status: 499, failure: 'client_abort' },
    { method: '_OTHER', endpoint: 'malformed', status: 400, responseBytes: 'any', failure: 'parse_error' }
  ])
})

t.test('counts no second request when the body of one that was answered early turns malformed or breaks off', async t => {
  const { app, port } = await start(t, app => {
    app.post('/early', { onRequest: async (_, reply) => reply.code(401).send('no') }, () => 'never')
  })
  const head = 'POST /early HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n'
  for (const [begin, end] of [
    ['Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n', 'not a length\r\n'],
    ['Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n', ''],
    ['Content-Length: 100\r\n\r\nfour', '']
  ]) {
    const client = await RawClient.connect({ port })
    await client.write(head + begin).until('\r\n\r\nno')
    if (end === '') client.halfClose()
    else client.write(end!)
    await client.untilEnd()
  }
  await expectOnly(t, app, [{ method: 'POST', endpoint: '/early', status: 401, times: 3, requestBytes: 'any', responseBytes: 6 }])
})

t.test('counts what Node refuses before Fastify sees it: no Host, an unknown Expect, too many requests', async t => {
  const { app, port } = await start(t, app => { app.get('/', () => 'root') }, { fastify: { maxRequestsPerSocket: 2 } })
  const hostless = await RawClient.connect({ port })
  t.match(await hostless.write('GET / HTTP/1.1\r\n\r\n').untilEnd(), 'HTTP/1.1 400 ')
  const expecting = await RawClient.connect({ port })
  t.match(await expecting.write('POST / HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\nContent-Length: 0\r\n\r\n').until('\r\n\r\n'), 'HTTP/1.1 417 ')
  await expecting.leave()
  const greedy = await RawClient.connect({ port })
  const text = await greedy.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3)).until('HTTP/1.1 503 ')
  await greedy.leave()
  t.equal(text.split('HTTP/1.1 200 ').length - 1, 2)
  await expectOnly(t, app, [
    { endpoint: 'malformed', status: 400 },
    { method: 'POST', endpoint: 'malformed', status: 417 },
    { endpoint: '/', status: 200, times: 2, responseBytes: 8 },
    { endpoint: 'unmatched', status: 503 }
  ])
})

t.test('counts a head that never comes to its end as 408', async t => {
  const { app, port } = await start(t, app => { app.get('/', () => 'root') }, {
    fastify: { requestTimeout: 20, http: { headersTimeout: 20, connectionsCheckingInterval: 10 } }
  })
  const client = await RawClient.connect({ port })
  t.match(await client.write('GET / HTTP/1.1\r\nHost:').untilEnd(), 'HTTP/1.1 408 ')
  await expectOnly(t, app, [{ method: '_OTHER', endpoint: 'malformed', status: 408, responseBytes: 'any', failure: 'timeout' }])
})

t.test('counts malformed requests also where the application answers them itself', async t => {
  const { app, port } = await start(t, app => { app.get('/', () => 'root') }, {
    fastify: { clientErrorHandler: (_: Error, socket: { end: (text: string) => void }) => socket.end('HTTP/1.1 400 Ours\r\nConnection: close\r\n\r\nours') }
  })
  const client = await RawClient.connect({ port })
  t.match(await client.write('nonsense\r\n\r\n').untilEnd(), 'HTTP/1.1 400 Ours')
  await expectOnly(t, app, [{ method: '_OTHER', endpoint: 'malformed', status: 400, responseBytes: 'any', failure: 'parse_error' }])
})

t.test('keeps apart what two applications of one process refuse', async t => {
  const one = await start(t, app => { app.get('/', () => 'one') })
  const two = await start(t, app => { app.get('/', () => 'two') })
  const stranger = http.createServer((_, response) => response.end('no Fastify'))
  stranger.listen(0, '127.0.0.1')
  t.teardown(() => stranger.close())
  await send({ port: one.port, path: '/%' })
  await send({ port: two.port, path: '/' })
  const client = await RawClient.connect({ port: two.port })
  await client.write('GET / HTTP/1.1\r\n\r\n').untilEnd()
  await send({ port: (stranger.address() as AddressInfo).port, path: '/' })
  await expectOnly(t, one.app, [{ endpoint: 'unmatched', status: 400, responseBytes: 'any' }])
  await expectOnly(t, two.app, [
    { endpoint: '/', status: 200, responseBytes: 3 },
    { endpoint: 'malformed', status: 400 }
  ])
})
