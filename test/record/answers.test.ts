import t from 'tap'
import dns from 'node:dns'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'
import { start } from '../support/start.ts'
import { send } from '../support/send.ts'
import { RawClient, bodyOf } from '../support/raw-client.ts'
import { expectOnly, inProgress } from '../support/expect-only.ts'
import { gate, turn } from '../support/gate.ts'

t.test('counts every status a handler sends, under the template and never under the URL', async t => {
  const { app, port } = await start(t, app => {
    app.get<{ Params: { status: string } }>('/status/:status', (request, reply) => {
      return reply.code(Number(request.params.status)).send(`as é ${request.params.status}`)
    })
  })
  const statuses = [200, 201, 206, 301, 400, 404, 418, 429, 499, 500, 503, 599]
  const bodies: number[] = []
  for (const status of statuses) {
    const answer = await send({ port, path: `/status/${status}?secret=${status}` })
    t.equal(answer.status, status)
    bodies.push(answer.body.length)
  }
  await expectOnly(t, app, statuses.map((status, i) => ({ endpoint: '/status/:status', status, responseBytes: bodies[i]! })))
})

t.test('counts every kind of route under its own template', async t => {
  const { app, port } = await start(t, async app => {
    app.get('/', () => 'root')
    app.get('/files/*', () => 'wildcard')
    app.get('/at/:hour(^\\d{2})h:minute(^\\d{2})m', () => 'pattern')
    app.get('/optional/:part?', () => 'optional')
    app.route({ method: ['GET', 'POST'], url: '/both', handler: () => 'both' })
    app.get('/host', { constraints: { host: 'one.example' } }, () => 'one')
    app.get('/host', { constraints: { host: 'two.example' } }, (_, reply) => reply.code(202).send('two'))
    app.all('/all', () => 'all')
    await app.register(async child => {
      child.get('/', () => 'prefixed')
      child.get('/:id', () => 'deep')
      await child.register(async grandchild => { grandchild.get('/leaf', () => 'leaf') }, { prefix: '/inner' })
    }, { prefix: '/outer' })
  })
  for (const path of ['/', '/files/a/b.txt', '/at/08h15m', '/optional', '/optional/x', '/both', '/outer', '/outer/', '/outer/7', '/outer/inner/leaf']) {
    t.equal((await send({ port, path })).status, 200, path)
  }
  await send({ port, path: '/both', method: 'POST' })
  await send({ port, path: '/all', method: 'DELETE' })
  await send({ port, path: '/host', headers: { host: 'one.example' } })
  await send({ port, path: '/host', headers: { host: 'two.example' } })
  await expectOnly(t, app, [
    { endpoint: '/', status: 200, responseBytes: 4 },
    { endpoint: '/files/*', status: 200, responseBytes: 8 },
    { endpoint: '/at/:hour(^\\d{2})h:minute(^\\d{2})m', status: 200, responseBytes: 7 },
    { endpoint: '/optional/:part?', status: 200, times: 2, responseBytes: 16 },
    { endpoint: '/both', status: 200, responseBytes: 4 },
    { method: 'POST', endpoint: '/both', status: 200, responseBytes: 4 },
    { endpoint: '/outer', status: 200, times: 2, responseBytes: 16 },
    { endpoint: '/outer/:id', status: 200, responseBytes: 4 },
    { endpoint: '/outer/inner/leaf', status: 200, responseBytes: 4 },
    { method: 'DELETE', endpoint: '/all', status: 200, responseBytes: 3 },
    { endpoint: '/host', status: 200, responseBytes: 3 },
    { endpoint: '/host', status: 202, responseBytes: 3 }
  ])
})

t.test('counts what the handler throws as the error handler sent it', async t => {
  const { app, port } = await start(t, async app => {
    app.get('/throws', () => { throw new Error('thrown') })
    app.get('/rejects', async () => { throw Object.assign(new Error('gone'), { statusCode: 410 }) })
    app.get('/sends-error', (_, reply) => { reply.send(new Error('sent')) })
    app.get('/pre-handler', { preHandler: async () => { throw new Error('early') } }, () => 'never')
    app.get('/on-send', { onSend: async () => { throw new Error('late') } }, () => 'never')
    app.get('/serializer', { schema: { response: { 200: { type: 'object', required: ['a'], properties: { a: { type: 'string' } } } } } }, () => ({}))
    app.get('/not-sendable', (_, reply) => { reply.type('text/plain').send({ not: 'text' }) })
    await app.register(async child => {
      child.setErrorHandler((error, _, reply) => reply.code(422).send({ custom: String(error) }))
      child.get('/custom', () => { throw new Error('custom') })
    })
    await app.register(async child => {
      child.setErrorHandler(() => { throw new Error('worse') })
      child.get('/worse', () => { throw new Error('bad') })
    })
  })
  const wanted = { '/throws': 500, '/rejects': 410, '/sends-error': 500, '/pre-handler': 500, '/on-send': 500, '/serializer': 500, '/not-sendable': 500, '/custom': 422, '/worse': 500 }
  const counted = []
  for (const [path, status] of Object.entries(wanted)) {
    const answer = await send({ port, path })
    t.equal(answer.status, status, path)
    counted.push({ endpoint: path, status, responseBytes: answer.body.length, ...(status === 500 && { failure: 'handler_error' }) })
  }
  await expectOnly(t, app, counted)
})

t.test('counts invalid and oversized bodies under the template', async t => {
  const { app, port } = await start(t, app => {
    const schema = { body: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } } }
    app.post('/validated', { schema }, () => 'valid')
    app.post('/small', { bodyLimit: 10 }, () => 'small')
  })
  const json = { 'content-type': 'application/json' }
  const valid = await send({ port, path: '/validated', method: 'POST', headers: json, body: '{"name":"é"}' })
  const invalid = await send({ port, path: '/validated', method: 'POST', headers: json, body: '{"title":"x"}' })
  const broken = await send({ port, path: '/validated', method: 'POST', headers: json, body: '{"name":' })
  const empty = await send({ port, path: '/validated', method: 'POST', headers: { ...json, 'content-length': 0 } })
  const unknown = await send({ port, path: '/validated', method: 'POST', headers: { 'content-type': 'x/y' }, body: 'z' })
  const large = await send({ port, path: '/small', method: 'POST', headers: { ...json, 'content-length': 20 }, body: '"123456789012345678"' })
  const chunked = await send({ port, path: '/small', method: 'POST', headers: json, body: ['"1234567890', '12345678"'] })
  t.strictSame([valid, invalid, broken, empty, unknown, large, chunked].map(answer => answer.status), [200, 400, 400, 400, 415, 413, 413])
  const bytes = (answers: { body: Buffer }[]): number => answers.reduce((total, { body }) => total + body.length, 0)
  await expectOnly(t, app, [
    { method: 'POST', endpoint: '/validated', status: 200, responseBytes: valid.body.length, requestBytes: 13 },
    { method: 'POST', endpoint: '/validated', status: 400, responseBytes: invalid.body.length, requestBytes: 13 },
    { method: 'POST', endpoint: '/validated', status: 400, times: 2, responseBytes: bytes([broken, empty]), requestBytes: 8, failure: 'parse_error' },
    { method: 'POST', endpoint: '/validated', status: 415, responseBytes: unknown.body.length, requestBytes: 1, failure: 'parse_error' },
    { method: 'POST', endpoint: '/small', status: 413, times: 2, responseBytes: bytes([large, chunked]), requestBytes: 'any', failure: 'parse_error' }
  ])
})

t.test('measures uploads to the byte, however they are read', async t => {
  const { app, port } = await start(t, app => {
    app.addContentTypeParser('stream/read', async (_: unknown, payload: Readable) => {
      let length = 0
      for await (const piece of payload) length += (piece as Buffer).length
      return length
    })
    app.addContentTypeParser('stream/handed', (_request, payload, done) => done(null, payload))
    app.post('/parsed', request => typeof request.body)
    app.post('/handed', async request => {
      for await (const piece of request.body as Readable) await Promise.resolve(piece)
      return 'read'
    })
    app.put('/pre-parsing', {
      preParsing: async (_request, _reply, payload) => {
        const wrapped = Readable.from((async function * () { for await (const piece of payload) yield (piece as Buffer).subarray(0, 2) })(), { objectMode: false })
        return Object.assign(wrapped, { receivedEncodedLength: 5 })
      }
    }, request => request.body as string)
  })
  const large = 'x'.repeat(300_000)
  await send({ port, path: '/parsed', method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'ünï' })
  await send({ port, path: '/parsed', method: 'POST', headers: { 'content-type': 'text/plain' }, body: ['one', 'two', 'é'] })
  await send({ port, path: '/parsed', method: 'POST', headers: { 'content-type': 'stream/read' }, body: [large, large] })
  await send({ port, path: '/parsed', method: 'POST' })
  await send({ port, path: '/handed', method: 'POST', headers: { 'content-type': 'stream/handed' }, body: large })
  await send({ port, path: '/handed', method: 'POST', headers: { 'content-type': 'stream/handed' }, body: [large, 'y'] })
  await send({ port, path: '/pre-parsing', method: 'PUT', headers: { 'content-type': 'text/plain' }, body: 'hello' })
  await expectOnly(t, app, [
    { method: 'POST', endpoint: '/parsed', status: 200, times: 4, requestBytes: 5 + 8 + 600_000, responseBytes: 6 + 6 + 6 + 9 },
    { method: 'POST', endpoint: '/handed', status: 200, times: 2, requestBytes: 600_001, responseBytes: 8 },
    { method: 'PUT', endpoint: '/pre-parsing', status: 200, requestBytes: 5, responseBytes: 2 }
  ])
})

t.test('measures answers to the byte, however they are written', async t => {
  const { app, port } = await start(t, app => {
    app.get('/text', () => 'naïve ☃')
    app.get('/json', () => ({ snowman: '☃' }))
    app.get('/buffer', () => Buffer.alloc(70_000))
    app.get('/typed', () => new Uint16Array(50))
    app.get('/empty', (_, reply) => reply.send())
    app.get('/response', () => new Response('from the web', { status: 203 }))
    app.get('/trailers', (_, reply) => reply.trailer('etag', async () => 'abc').send('body'))
    app.get('/large-head', (_, reply) => reply.header('x-large', 'h'.repeat(6_000)).send('tiny'))
    app.get('/hints', (_, reply) => {
      reply.raw.writeEarlyHints({ link: '</style.css>; rel=preload' })
      reply.raw.writeProcessing()
      return reply.send('hinted')
    })
    app.get('/raw', (_, reply) => {
      reply.raw.writeHead(207, 'Many', { 'x-raw': '1' })
      reply.raw.write('c3a9', 'hex')
      reply.raw.write('é', 'latin1')
      reply.raw.write('é')
      reply.raw.write(new Uint8Array(3), () => {})
      reply.raw.write('AAAA', 'base64', () => {})
      reply.raw.end('end', () => {})
      reply.raw.on('error', () => {})
      reply.raw.write('too late')
    })
  })
  const counted = []
  for (const [path, bytes] of Object.entries({
    '/text': 10, '/json': 17, '/buffer': 70_000, '/typed': 100, '/empty': 0, '/response': 12, '/trailers': 4, '/large-head': 4, '/hints': 6, '/raw': 14
  })) {
    const { status, body } = await send({ port, path })
    t.equal(body.length, bytes, path)
    counted.push({ endpoint: path, status, responseBytes: bytes })
  }
  await expectOnly(t, app, counted)
})

t.test('counts no body where HTTP sends none: HEAD, 204 and 304', async t => {
  const { app, port } = await start(t, app => {
    app.get('/automatic', () => 'not for HEAD')
    app.get('/streamed', () => Readable.from(['not ', 'for HEAD']))
    app.head('/explicit', (_, reply) => reply.header('content-length', 1234).code(203).send())
    app.get('/explicit', () => 'get')
    app.route({ method: ['GET', 'HEAD'], url: '/listed', handler: () => 'listed' })
    app.get('/none', (_, reply) => reply.code(204).send())
    app.get('/none-but-text', (_, reply) => reply.code(204).send('dropped'))
    app.get('/unchanged', (_, reply) => reply.code(304).send())
    app.get('/unchanged-but-text', (_, reply) => reply.code(304).header('etag', '"x"').send('dropped'))
    app.get('/raw', (_, reply) => {
      reply.hijack()
      reply.raw.write('dropped for HEAD')
      reply.raw.end('and this')
    })
    app.get('/raw-none', (_, reply) => {
      reply.hijack()
      reply.raw.writeHead(204)
      reply.raw.end('dropped')
    })
  })
  const heads = { '/automatic': 200, '/streamed': 200, '/explicit': 203, '/listed': 200, '/raw': 200 }
  for (const path of Object.keys(heads)) t.equal((await send({ port, path, method: 'HEAD' })).body.length, 0, path)
  const nones = { '/none': 204, '/none-but-text': 204, '/unchanged': 304, '/unchanged-but-text': 304, '/raw-none': 204 }
  for (const path of Object.keys(nones)) t.equal((await send({ port, path })).body.length, 0, path)
  await expectOnly(t, app, [
    ...Object.entries(heads).map(([endpoint, status]) => ({ method: 'HEAD', endpoint, status })),
    ...Object.entries(nones).map(([endpoint, status]) => ({ endpoint, status }))
  ])
})

t.test('counts a handler that ran out of time as 503', async t => {
  const { app, port } = await start(t, app => {
    app.get('/slow', { handlerTimeout: 20 }, () => new Promise(() => {}))
    app.get('/swift', { handlerTimeout: 20_000 }, () => 'swift')
  })
  const slow = await send({ port, path: '/slow' })
  t.equal(slow.status, 503)
  await send({ port, path: '/swift' })
  await expectOnly(t, app, [
    { endpoint: '/slow', status: 503, responseBytes: slow.body.length, failure: 'timeout' },
    { endpoint: '/swift', status: 200, responseBytes: 5 }
  ])
})

t.test('counts one request once although the handler answers twice', async t => {
  const { app, port } = await start(t, app => {
    app.get('/twice', (_, reply) => {
      reply.send('first')
      reply.send('second')
    })
    app.get('/and-throws', async (_, reply) => {
      reply.send('first')
      throw new Error('after the answer')
    })
  })
  t.equal((await send({ port, path: '/twice' })).status, 200)
  t.equal((await send({ port, path: '/and-throws' })).status, 200)
  await expectOnly(t, app, [
    { endpoint: '/twice', status: 200, responseBytes: 5 },
    { endpoint: '/and-throws', status: 200, responseBytes: 5 }
  ])
})

t.test('shows a request as in progress from its start to its end', async t => {
  const entered = gate()
  const answer = gate<string>()
  const { app, port } = await start(t, app => {
    app.get('/wait/:id', () => { entered.open(); return answer.promise })
  })
  t.notOk(inProgress(app, 'GET', '/wait/:id'), 'none before')
  const pending = send({ port, path: '/wait/1' })
  await entered.promise
  t.equal(inProgress(app, 'GET', '/wait/:id'), 1)
  t.notOk(app.vitals.read('http_requests_total', { method: 'GET', endpoint: '/wait/:id', status: '200' }), 'not counted yet')
  answer.open('now')
  await pending
  await expectOnly(t, app, [{ endpoint: '/wait/:id', status: 200, responseBytes: 3 }])
  t.equal(inProgress(app, 'GET', '/wait/:id'), 0)
})

t.test('counts each request of a kept-alive connection', async t => {
  const { app, port } = await start(t, app => {
    app.get('/a', () => 'a')
    app.post('/b', request => request.body as string)
  })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  let connections = 0
  app.server.on('connection', () => connections++)
  for (let i = 0; i < 5; i++) {
    await send({ port, path: '/a', agent })
    await send({ port, path: '/b', method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'four', agent })
  }
  t.equal(connections, 1)
  await expectOnly(t, app, [
    { endpoint: '/a', status: 200, times: 5, responseBytes: 5 },
    { method: 'POST', endpoint: '/b', status: 200, times: 5, requestBytes: 20, responseBytes: 20 }
  ])
})

t.test('counts each of the requests pipelined in one write, answered in any order', async t => {
  const first = gate<string>()
  const { app, port } = await start(t, app => {
    app.get('/first', () => first.promise)
    app.get('/second', () => { first.open('one'); return 'second' })
    app.post('/third', request => request.body as string)
    app.head('/fourth', () => 'none')
  })
  const client = await RawClient.connect({ port })
  client.write('GET /first HTTP/1.1\r\nHost: x\r\n\r\nGET /second HTTP/1.1\r\nHost: x\r\n\r\n' +
    'POST /third HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nthird' +
    'HEAD /fourth HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  const text = await client.untilEnd()
  t.equal(text.split('HTTP/1.1 ').length - 1, 5)
  await expectOnly(t, app, [
    { endpoint: '/first', status: 200, responseBytes: 3 },
    { endpoint: '/second', status: 200, responseBytes: 6 },
    { method: 'POST', endpoint: '/third', status: 200, requestBytes: 5, responseBytes: 5 },
    { method: 'HEAD', endpoint: '/fourth', status: 200 },
    { endpoint: 'unmatched', status: 404, responseBytes: bodyOf(text.slice(text.indexOf('HTTP/1.1 404'))).length }
  ])
})

t.test('counts a request once when it waits for 100 Continue, asks for an upgrade nobody offers, or speaks HTTP/1.0', async t => {
  const { app, port } = await start(t, app => {
    app.get('/plain', () => 'plain')
    app.post('/upload', request => request.body as string)
  })
  const polite = await RawClient.connect({ port })
  polite.write('POST /upload HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nConnection: close\r\n\r\n')
  await polite.until('HTTP/1.1 100 Continue')
  polite.write('body')
  t.match(await polite.untilEnd(), 'HTTP/1.1 200 OK')
  const upgrading = await RawClient.connect({ port })
  t.match(await upgrading.write('GET /plain HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n').until('plain'), 'HTTP/1.1 200 OK')
  await upgrading.leave()
  const old = await RawClient.connect({ port })
  t.match(await old.write('GET /plain HTTP/1.0\r\n\r\n').untilEnd(), '200 OK')
  await expectOnly(t, app, [
    { method: 'POST', endpoint: '/upload', status: 200, requestBytes: 4, responseBytes: 4 },
    { endpoint: '/plain', status: 200, times: 2, responseBytes: 10 }
  ])
})

t.test('counts injected requests like any other and never as aborted', async t => {
  const { app } = await start(t, app => {
    app.get('/text', () => 'text')
    app.post('/echo', request => request.body as string)
    app.get('/throws', () => { throw new Error('thrown') })
    app.get('/stream', () => Readable.from(['one', 'two']))
    app.get('/hijacked', (_, reply) => { reply.hijack(); reply.raw.end('raw') })
  })
  await app.inject('/text')
  await app.inject({ method: 'HEAD', url: '/text' })
  await app.inject({ method: 'POST', url: '/echo', headers: { 'content-type': 'text/plain' }, payload: 'écho' })
  const thrown = await app.inject('/throws')
  await app.inject('/stream')
  await app.inject('/hijacked')
  const lost = await app.inject('/nowhere')
  const streamed = await app.inject({ url: '/stream', payloadAsStream: true })
  for await (const piece of streamed.stream()) t.ok(piece)
  await expectOnly(t, app, [
    { endpoint: '/text', status: 200, responseBytes: 4 },
    { method: 'HEAD', endpoint: '/text', status: 200 },
    { method: 'POST', endpoint: '/echo', status: 200, requestBytes: 5, responseBytes: 5 },
    { endpoint: '/throws', status: 500, responseBytes: thrown.rawPayload.length, failure: 'handler_error' },
    { endpoint: '/stream', status: 200, times: 2, responseBytes: 12 },
    { endpoint: '/hijacked', status: 200, responseBytes: 3 },
    { endpoint: 'unmatched', status: 404, responseBytes: lost.rawPayload.length }
  ])
})

t.test('counts what is refused and what is finished while the application closes', async t => {
  const entered = gate()
  const answer = gate<string>()
  const closing = gate()
  const { app, port } = await start(t, app => {
    app.get('/running', () => { entered.open(); return answer.promise })
    app.get('/late', () => 'late')
    app.addHook('preClose', done => { closing.open(); done() })
  }, { fastify: { forceCloseConnections: false } })
  const busy = await RawClient.connect({ port })
  busy.write('GET /running HTTP/1.1\r\nHost: x\r\n\r\n')
  await entered.promise
  const late = await RawClient.connect({ port })
  late.write('GET /late HTTP/1.1\r\nHost: x\r\n\r\nGE')
  await late.until('late')
  const closed = app.close()
  await closing.promise
  late.write('T /late HTTP/1.1\r\nHost: x\r\n\r\n')
  const refused = await late.untilEnd()
  t.match(refused, 'HTTP/1.1 503 ')
  answer.open('finished')
  t.match(await busy.until('finished'), 'HTTP/1.1 200 ')
  await busy.leave()
  await closed
  await expectOnly(t, app, [
    { endpoint: '/running', status: 200, responseBytes: 8 },
    { endpoint: '/late', status: 200, responseBytes: 4 },
    { endpoint: 'unmatched', status: 503, responseBytes: 80 }
  ])
})

t.test('counts the scrape itself like any other request', async t => {
  const { app, port } = await start(t, app => { app.get('/a', () => 'a') }, { vitals: { endpoint: true, auth: false } })
  const scrape = await send({ port, path: '/v1/metrics' })
  t.equal(scrape.status, 200)
  await send({ port, path: '/a' })
  await expectOnly(t, app, [
    { endpoint: '/v1/metrics', status: 200, responseBytes: scrape.body.length },
    { endpoint: '/a', status: 200, responseBytes: 1 }
  ])
})

t.test('leaves out what `ignore` names, and nothing else', async t => {
  const { app, port } = await start(t, app => {
    app.get('/health', () => 'ok')
    app.get('/health/deep', () => 'deep')
    app.get('/probe/:name', () => 'ok')
    app.get('/a', () => 'a')
  }, { vitals: { endpoint: true, auth: false, ignore: ['/health', '/v1/metrics', /^\/probe\//] } })
  for (const path of ['/health', '/probe/live', '/v1/metrics', '/a', '/health/deep']) t.equal((await send({ port, path })).status, 200, path)
  await send({ port, path: '/health', method: 'HEAD' })
  const client = await RawClient.connect({ port })
  await client.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n').until('ok')
  await client.reset()
  await expectOnly(t, app, [
    { endpoint: '/a', status: 200, responseBytes: 1 },
    { endpoint: '/health/deep', status: 200, responseBytes: 4 }
  ])
})

t.test('counts on every address that localhost stands for', async t => {
  // Not every machine has two: this answers as one that has.
  const { lookup } = dns
  const twoAddresses = (host: string, options: { all?: boolean }, done: (...result: unknown[]) => void): void => {
    if (host === 'localhost' && options.all === true) done(null, ['127.0.0.1', '127.0.0.2'].map(address => ({ address, family: 4 })))
    else lookup(host, options as never, done as never)
  }
  dns.lookup = twoAddresses as never
  t.teardown(() => { dns.lookup = lookup })
  const { app } = await start(t, app => { app.get('/a', () => 'a') }, { host: 'localhost' })
  const addresses = app.addresses() as AddressInfo[]
  t.equal(addresses.length, 2)
  for (const { address, port } of addresses) {
    await send({ port, host: address, path: '/a' })
    await send({ port, host: address, path: '/%E0%A4%A' })
    const client = await RawClient.connect({ port, host: address })
    await client.write('garbage\r\n\r\n').untilEnd()
  }
  await expectOnly(t, app, [
    { endpoint: '/a', status: 200, times: addresses.length, responseBytes: addresses.length },
    { endpoint: 'unmatched', status: 400, times: addresses.length, responseBytes: 'any' },
    { method: '_OTHER', endpoint: 'malformed', status: 400, times: addresses.length, responseBytes: 'any', failure: 'parse_error' }
  ])
})

t.test('counts across the hooks of other plugins, whatever they do', async t => {
  const { app, port } = await start(t, (app: FastifyInstance) => {
    app.addHook('onRequest', async () => { await turn() })
    app.addHook('preHandler', (_request, _reply, done) => { setImmediate(done) })
    app.addHook('onSend', async (_request, reply, payload) => { reply.removeHeader('content-length'); return `${payload as string}, changed` })
    app.addHook('onResponse', async () => { await turn(); throw new Error('after the answer') })
    app.get('/a', () => 'a')
    app.get('/pre-handler-answers', { preHandler: async (_, reply) => reply.code(401).send('no') }, () => 'never')
  })
  await send({ port, path: '/a' })
  await send({ port, path: '/pre-handler-answers' })
  await expectOnly(t, app, [
    { endpoint: '/a', status: 200, responseBytes: 10 },
    { endpoint: '/pre-handler-answers', status: 401, responseBytes: 11 }
  ])
})

t.test('does not take a client that leaves after the whole answer for an abort', async t => {
  const { app, port } = await start(t, app => {
    app.get('/a', () => 'a')
    app.post('/unread', (_, reply) => { reply.send('done') })
  })
  for (const way of ['leave', 'reset'] as const) {
    const client = await RawClient.connect({ port })
    await client.write('GET /a HTTP/1.1\r\nHost: x\r\n\r\n').until('\r\n\r\na')
    await client[way]()
  }
  const closing = await RawClient.connect({ port })
  closing.write('GET /a HTTP/1.1\r\nHost: x\r\n\r\n').halfClose()
  await once(closing.socket, 'end')
  t.match(closing.text, '200 OK')
  closing.socket.destroy()
  await expectOnly(t, app, [{ endpoint: '/a', status: 200, times: 3, responseBytes: 3 }])
})
