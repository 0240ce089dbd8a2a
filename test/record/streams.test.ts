import t from 'tap'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { PassThrough, Readable, Transform } from 'node:stream'
import { start } from '../support/start.ts'
import { send } from '../support/send.ts'
import { RawClient } from '../support/raw-client.ts'
import { expectOnly, inProgress } from '../support/expect-only.ts'
import type { Counted } from '../support/expect-only.ts'
import { gate } from '../support/gate.ts'

/** Gives one piece, and breaks when the gate opens. */
function breaking (broken: Promise<void>, how: (stream: Readable) => void): Readable {
  const stream = new Readable({ read () {} })
  stream.push('piece')
  broken.then(() => how(stream))
  return stream
}

t.test('measures streamed answers by the bytes really sent', async t => {
  const file = new URL(import.meta.url)
  const { size } = await stat(file)
  const { app, port } = await start(t, app => {
    app.get('/pieces', () => Readable.from(['one', 'twö', 'three']))
    app.get('/file', () => createReadStream(file))
    app.get('/length', (_, reply) => reply.header('content-length', 5).send(Readable.from(['12', '345'])))
    app.get('/web', () => new ReadableStream({ start: controller => { controller.enqueue(Buffer.from('wëb')); controller.close() } }))
    app.get('/response', () => new Response('respönse', { headers: { 'x-kind': 'web' } }))
    app.get('/empty', () => Readable.from([]))
    app.get('/large', () => Readable.from((function * () { for (let i = 0; i < 64; i++) yield Buffer.alloc(65_536) })()))
    app.get('/changed', { onSend: async (_request, _reply, payload) => (payload as Readable).pipe(new Transform({ transform: (piece, _, done) => done(null, `${piece}${piece}`) })) }, () => Readable.from(['ab', 'c']))
    app.get('/trailers', (_, reply) => reply.trailer('x-sum', async () => '1').send(Readable.from(['with ', 'trailers'])))
  })
  const sizes = { '/pieces': 12, '/file': size, '/length': 5, '/web': 4, '/response': 9, '/empty': 0, '/large': 64 * 65_536, '/changed': 6, '/trailers': 13 }
  for (const [path, bytes] of Object.entries(sizes)) t.equal((await send({ port, path })).body.length, bytes, path)
  await expectOnly(t, app, Object.entries(sizes).map(([endpoint, responseBytes]) => ({ endpoint, status: 200, responseBytes })))
})

t.test('counts a stream that fails before the head as the error that was sent', async t => {
  const { app, port } = await start(t, app => {
    app.get('/node', () => new Readable({ read () { this.destroy(new Error('early')) } }))
    app.get('/missing', () => createReadStream(new URL('./missing', import.meta.url)))
    app.get('/web', () => new ReadableStream({ start: controller => controller.error(new Error('early')) }))
    app.get('/status', () => new Readable({ read () { this.destroy(Object.assign(new Error('early'), { statusCode: 404 })) } }))
  })
  const counted: Counted[] = []
  for (const [path, wanted] of Object.entries({ '/node': 500, '/missing': 500, '/web': 500, '/status': 404 })) {
    const { status, body } = await send({ port, path })
    t.equal(status, wanted, path)
    counted.push({ endpoint: path, status, responseBytes: body.length, ...(status === 500 && { failure: 'handler_error' }) })
  }
  await expectOnly(t, app, counted)
})

t.test('counts a stream that fails after the head as sent, with the reason stream_error', async t => {
  let broken = gate()
  const { app, port } = await start(t, app => {
    app.get('/error', (_, reply) => reply.code(203).send(breaking(broken.promise, stream => stream.destroy(new Error('late')))))
    app.get('/closed', () => breaking(broken.promise, stream => stream.destroy()))
    app.get('/length', (_, reply) => reply.header('content-length', 100).send(breaking(broken.promise, stream => stream.destroy(new Error('late')))))
    app.get('/web', () => new Response(new ReadableStream({
      start: controller => {
        controller.enqueue(Buffer.from('piece'))
        broken.promise.then(() => controller.error(new Error('late')))
      }
    }), { status: 206 }))
    app.get('/generator', () => Readable.from((async function * () { yield 'piece'; await broken.promise; throw new Error('late') })()))
  })
  const statuses = { '/error': 203, '/closed': 200, '/length': 200, '/web': 206, '/generator': 200 }
  for (const path of Object.keys(statuses)) {
    broken = gate()
    const client = await RawClient.connect({ port })
    await client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).until('piece')
    broken.open()
    await client.untilEnd()
  }
  await expectOnly(t, app, Object.entries(statuses).map(([endpoint, status]) => ({ endpoint, status, responseBytes: 5, failure: 'stream_error' })))
})

t.test('tells a stream that broke because the client left from one that broke by itself', async t => {
  const closed = gate()
  const { app, port } = await start(t, app => {
    app.get('/source', (request, reply) => {
      const source = new PassThrough()
      source.write('piece')
      request.raw.on('close', () => { source.destroy(new Error('the consumer left')); closed.open() })
      return reply.send(source)
    })
  })
  const client = await RawClient.connect({ port })
  await client.write('GET /source HTTP/1.1\r\nHost: x\r\n\r\n').until('piece')
  await client.reset()
  await closed.promise
  await expectOnly(t, app, [{ endpoint: '/source', status: 499, failure: 'client_abort' }])
})

t.test('counts hijacked answers that the application ends itself', async t => {
  const released = gate()
  const entered = gate()
  const { app, port } = await start(t, app => {
    app.get('/at-once', (_, reply) => { reply.hijack(); reply.raw.end('at once') })
    app.get('/pieces', (_, reply) => {
      reply.hijack()
      reply.raw.writeHead(202, { 'x-raw': 'yes' })
      reply.raw.write('c3a9', 'hex')
      reply.raw.write('é', 'latin1')
      setImmediate(() => { reply.raw.write(Buffer.from('é')); reply.raw.end('AA==', 'base64') })
    })
    app.get('/later', async (_, reply) => {
      reply.hijack()
      entered.open()
      await released.promise
      reply.raw.statusCode = 418
      reply.raw.end()
    })
    app.get('/piped', (_, reply) => { reply.hijack(); reply.raw.setHeader('content-length', 6); Readable.from(['pip', 'ing']).pipe(reply.raw) })
    app.get('/unhijacked', (_, reply) => { reply.raw.writeHead(203); reply.raw.end('raw') })
    app.get('/hook', { onRequest: (_request, reply) => { reply.hijack(); reply.raw.writeHead(401); reply.raw.end('by a hook') } }, () => 'never')
    app.get('/throws', (_, reply) => { reply.hijack(); reply.raw.end('fine'); throw new Error('after all') })
  })
  const sizes = { '/at-once': 7, '/pieces': 6, '/piped': 6, '/unhijacked': 3, '/hook': 9, '/throws': 4 }
  const statuses = { '/at-once': 200, '/pieces': 202, '/piped': 200, '/unhijacked': 203, '/hook': 401, '/throws': 200 }
  for (const [path, bytes] of Object.entries(sizes)) t.equal((await send({ port, path })).body.length, bytes, path)
  const later = send({ port, path: '/later' })
  await entered.promise
  t.equal(inProgress(app, 'GET', '/later'), 1)
  released.open()
  await later
  await expectOnly(t, app, [
    ...Object.entries(statuses).map(([endpoint, status]) => ({ endpoint, status, responseBytes: sizes[endpoint as keyof typeof sizes] })),
    { endpoint: '/later', status: 418 }
  ])
})

t.test('counts answers that the application destroys as sent, and never as left by the client', async t => {
  const broken = gate()
  const { app, port } = await start(t, app => {
    app.get('/hijacked/before', (_, reply) => { reply.hijack(); reply.raw.destroy() })
    app.get('/hijacked/with-error', (_, reply) => { reply.hijack(); reply.raw.destroy(new Error('by the application')) })
    app.get('/hijacked/after', async (_, reply) => {
      reply.hijack()
      reply.raw.writeHead(203)
      reply.raw.write('piece')
      await broken.promise
      reply.raw.destroy()
    })
    app.get('/raw/before', (_, reply) => { reply.raw.destroy() })
    app.get('/raw/status', (_, reply) => { reply.code(503); reply.raw.destroy() })
  })
  for (const path of ['/hijacked/before', '/hijacked/with-error', '/raw/before', '/raw/status']) {
    const client = await RawClient.connect({ port })
    t.equal(await client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).untilEnd(), '', path)
  }
  const client = await RawClient.connect({ port })
  await client.write('GET /hijacked/after HTTP/1.1\r\nHost: x\r\n\r\n').until('piece')
  broken.open()
  await client.untilEnd()
  await expectOnly(t, app, [
    { endpoint: '/hijacked/before', status: 200, failure: 'stream_error' },
    { endpoint: '/hijacked/with-error', status: 200, failure: 'stream_error' },
    { endpoint: '/raw/before', status: 200, failure: 'stream_error' },
    { endpoint: '/raw/status', status: 503, failure: 'stream_error' },
    { endpoint: '/hijacked/after', status: 203, responseBytes: 5, failure: 'stream_error' }
  ])
})
