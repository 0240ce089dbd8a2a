import { createServer } from 'node:http'
import { connect } from 'node:http2'
import type { Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { Writable, pipeline } from 'node:stream'
import t from 'tap'
import { expectOnly } from '../support/expect-only.ts'
import { gate } from '../support/gate.ts'
import { RawClient } from '../support/raw-client.ts'
import { send } from '../support/send.ts'
import { start } from '../support/start.ts'

t.test('the status is that of the head that was sent, whatever is set afterwards', async t => {
  const { app, port } = await start(t, app => {
    app.get('/later', (_request, reply) => { reply.hijack(); reply.raw.writeHead(202); reply.raw.end('x'); reply.raw.statusCode = 500 })
  })
  await send({ port, path: '/later' })
  await expectOnly(t, app, [{ endpoint: '/later', status: 202, responseBytes: 1 }])
})

t.test('the size of a request is what came, not what its head promised', async t => {
  const { app, port } = await start(t, app => { app.get('/a', () => 'a') })
  const client = await RawClient.connect({ port })
  await client.write('GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n').until('\r\n\r\na')
  await client.leave()
  await expectOnly(t, app, [{ endpoint: '/a', status: 200, requestBytes: 0, responseBytes: 1 }])
})

t.test('what the server breaks off is never the doing of the client', async t => {
  const { app, port } = await start(t, app => {
    app.get('/socket', (request, reply) => { reply.hijack(); reply.raw.write('x'); request.raw.socket.destroy(new Error('mine')) })
    app.get('/inject', (_request, reply) => { reply.hijack(); reply.raw.writeHead(200); reply.raw.destroy() })
  })
  await t.rejects(send({ port, path: '/socket' }))
  await t.rejects(app.inject('/inject'))
  await expectOnly(t, app, [
    { endpoint: '/socket', status: 200, failure: 'stream_error', responseBytes: 'any' },
    { endpoint: '/inject', status: 200, failure: 'stream_error' }
  ])
})

t.test('streams of HTTP/2 that the application closes or destroys are broken by the server', async t => {
  const { app, port } = await start(t, app => {
    const answer = (end: (stream: Http2ServerResponse['stream']) => void): Parameters<typeof app.get>[1] => ((_request: unknown, reply: { hijack: () => void, raw: unknown }) => {
      reply.hijack()
      const response = reply.raw as Http2ServerResponse
      response.writeHead(200)
      response.write('x')
      end(response.stream)
    }) as never
    app.get('/close', answer(stream => stream.close(2)) as never)
    app.get('/destroy', answer(stream => stream.destroy(new Error('mine'))) as never)
  }, { fastify: { http2: true } })
  const session = connect(`http://127.0.0.1:${port}`)
  t.teardown(() => session.close())
  for (const path of ['/close', '/destroy']) {
    const stream = session.request({ ':path': path })
    stream.on('error', () => {})
    stream.resume()
    await new Promise(resolve => stream.once('close', resolve))
  }
  await expectOnly(t, app, [
    { endpoint: '/close', status: 200, failure: 'stream_error', responseBytes: 'any' },
    { endpoint: '/destroy', status: 200, failure: 'stream_error', responseBytes: 'any' }
  ])
})

t.test('a connection that stays open after malformed bytes counts once', async t => {
  const refused = gate()
  const { app, port } = await start(t, () => {}, {
    fastify: { clientErrorHandler: (_error, socket) => { if (socket.writable) socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'); refused.open() } }
  })
  const client = await RawClient.connect({ port })
  client.write('nonsense\r\n\r\n')
  await refused.promise
  client.write('more nonsense\r\n\r\n')
  await client.until('400')
  await client.leave()
  await expectOnly(t, app, [{ method: '_OTHER', endpoint: 'malformed', status: 400, failure: 'parse_error', responseBytes: 'any' }])
})

t.test('a socket timeout that the application deals with is not why its client leaves later', async t => {
  const timedOut = gate()
  const { app, port } = await start(t, app => {
    app.get('/wait', (_request, reply) => {
      reply.hijack()
      reply.raw.setTimeout(20, () => timedOut.open())
    })
  })
  const client = await RawClient.connect({ port })
  client.write('GET /wait HTTP/1.1\r\nHost: x\r\n\r\n')
  await timedOut.promise
  await client.reset()
  await expectOnly(t, app, [{ endpoint: '/wait', status: 499, failure: 'client_abort' }])
})

t.test('a response of another server whose request loses its socket is counted, and nothing throws', async t => {
  const { app } = await start(t, app => {
    app.addContentTypeParser('stream/handed', (_request, payload, done) => done(null, payload))
    app.post('/broken', (request, reply) => {
      reply.hijack()
      pipeline(request.raw, new Writable({ write (_chunk, _encoding, done) { done(new Error('full')) } }), () => reply.raw.destroy())
    })
  })
  const server = createServer((request, response) => app.routing(request, response))
  t.teardown(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await t.rejects(send({ port, path: '/broken', method: 'POST', headers: { 'content-type': 'stream/handed' }, body: 'x'.repeat(1_000) }))
  await expectOnly(t, app, [{ method: 'POST', endpoint: '/broken', status: 200, failure: 'stream_error', requestBytes: 'any' }])
})

t.test('an end() that throws leaves the count of the body as it was', async t => {
  const { app, port } = await start(t, app => {
    app.get('/twice', (_request, reply) => {
      reply.hijack()
      t.throws(() => reply.raw.end({} as never))
      reply.raw.end('abcdef')
    })
  })
  await send({ port, path: '/twice' })
  await expectOnly(t, app, [{ endpoint: '/twice', status: 200, responseBytes: 6 }])
})

t.test('an end() that comes twice counts once', async t => {
  const { app, port } = await start(t, app => {
    app.get('/twice', (_request, reply) => {
      reply.hijack()
      reply.raw.end('abc')
      reply.raw.end()
    })
  })
  await send({ port, path: '/twice' })
  await expectOnly(t, app, [{ endpoint: '/twice', status: 200, responseBytes: 3 }])
})

t.test('a logger that fails does not fail the record', async t => {
  const { app } = await start(t, () => {})
  const { registry } = app.vitals
  app.log.warn = () => { throw new Error('no room for logs') }
  const counter = registry.counter({ name: 'a_total', help: 'For a test.' })
  counter.inc(-1)
  t.equal(app.vitals.read('vitals_record_errors_total', { metric: 'a_total' }), 1)
})

t.test('gauges of a shared store are collected by each that defines them', async t => {
  const { app } = await start(t, () => {})
  const calls: string[] = []
  const define = (collect: () => void) => app.vitals.gauge({ name: 'shared', help: 'For a test.', collect })
  const first = (): void => { calls.push('first') }
  define(first)
  define(first)
  define(() => { calls.push('second') })
  await app.vitals.render()
  t.strictSame(calls, ['first', 'second'])
})
