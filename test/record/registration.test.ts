import t from 'tap'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import rateLimit from '@fastify/rate-limit'
import vitals, { createMeterBridge, createRegistry } from '../../lib/index.ts'
import type { VitalsOptions } from '../../lib/index.ts'
import { start } from '../support/start.ts'
import { send } from '../support/send.ts'
import { RawClient } from '../support/raw-client.ts'
import { expectOnly } from '../support/expect-only.ts'
import { gate, turn } from '../support/gate.ts'

t.test('counts routes declared before the plugin, in the same context and in others', async t => {
  const { app, port } = await start(t, app => {
    app.get('/after', () => 'after')
    app.register(async child => { child.get('/after', () => 'after') }, { prefix: '/later' })
  }, {
    before: async app => {
      app.get('/before', () => 'before')
      app.get('/before/throws', () => { throw new Error('thrown') })
      app.post('/before/opted-out', { config: { vitals: false } }, () => 'uncounted')
      await app.register(async child => {
        child.get('/:id', () => 'child')
        await child.register(async grandchild => { grandchild.get('/leaf', () => 'leaf') }, { prefix: '/deep' })
      }, { prefix: '/child' })
      app.register(async child => { child.get('/x', () => 'pending') }, { prefix: '/pending' })
    }
  })
  for (const path of ['/before', '/before/throws', '/child/1', '/child/deep/leaf', '/pending/x', '/after', '/later/after']) await send({ port, path })
  await send({ port, path: '/before/opted-out', method: 'POST' })
  await send({ port, path: '/child/1', method: 'HEAD' })
  await expectOnly(t, app, [
    { endpoint: '/before', status: 200, responseBytes: 6 },
    { endpoint: '/before/throws', status: 500, responseBytes: 'any', failure: 'handler_error' },
    { endpoint: '/child/:id', status: 200, responseBytes: 5 },
    { method: 'HEAD', endpoint: '/child/:id', status: 200 },
    { endpoint: '/child/deep/leaf', status: 200, responseBytes: 4 },
    { endpoint: '/pending/x', status: 200, responseBytes: 7 },
    { endpoint: '/after', status: 200, responseBytes: 5 },
    { endpoint: '/later/after', status: 200, responseBytes: 5 }
  ])
})

t.test('counts under the template what an earlier plugin answers or throws in its onRequest hook', async t => {
  const { app, port } = await start(t, app => {
    app.get('/users/:id', () => 'user')
    app.post('/users', request => request.body as string)
  }, {
    before: app => {
      app.addHook('onRequest', async (request, reply) => {
        const { how } = request.query as { how?: string }
        if (how === 'reply') return reply.code(403).send('no')
        if (how === 'throw') throw Object.assign(new Error('no'), { statusCode: 429 })
        if (how === 'fail') throw new Error('no')
        if (how === 'raw') { reply.hijack(); reply.raw.statusCode = 418; reply.raw.end('raw') }
        if (how === 'later') await turn()
      })
    }
  })
  t.equal((await send({ port, path: '/users/1?how=reply' })).status, 403)
  const thrown = await send({ port, path: '/users/1?how=throw' })
  const failed = await send({ port, path: '/users/1?how=fail' })
  t.equal((await send({ port, path: '/users/1?how=raw' })).status, 418)
  await send({ port, path: '/users/1?how=later' })
  t.equal((await send({ port, path: '/users/1?how=reply', method: 'HEAD' })).status, 403)
  t.equal((await send({ port, path: '/users?how=reply', method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'four' })).status, 403)
  t.equal((await send({ port, path: '/nowhere?how=reply' })).status, 403)
  await expectOnly(t, app, [
    { endpoint: '/users/:id', status: 403, responseBytes: 2 },
    { endpoint: '/users/:id', status: 429, responseBytes: thrown.body.length },
    { endpoint: '/users/:id', status: 500, responseBytes: failed.body.length, failure: 'handler_error' },
    { endpoint: '/users/:id', status: 418, responseBytes: 3 },
    { endpoint: '/users/:id', status: 200, responseBytes: 4 },
    { method: 'HEAD', endpoint: '/users/:id', status: 403 },
    { method: 'POST', endpoint: '/users', status: 403, requestBytes: 'any', responseBytes: 2 },
    { endpoint: 'unmatched', status: 403, responseBytes: 2 }
  ])
})

t.test('counts what a rate limiter refuses, whichever of the two comes first', async t => {
  for (const first of [true, false]) {
    const limit = (app: FastifyInstance): unknown => app.register(rateLimit, { max: 2 })
    const { app, port } = await start(t, async app => {
      if (!first) await limit(app)
      app.get('/limited', () => 'fine')
    }, { before: async app => { if (first) await limit(app) } })
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await send({ port, path: '/limited' })).status)
    t.strictSame(statuses, [200, 200, 429, 429])
    await expectOnly(t, app, [
      { endpoint: '/limited', status: 200, times: 2, responseBytes: 8 },
      { endpoint: '/limited', status: 429, times: 2, responseBytes: 'any' }
    ])
  }
})

t.test('counts the whole application when it is registered in a context of its own', async t => {
  const app = fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  app.get('/outside', () => 'outside')
  await app.register(async child => {
    await child.register(vitals, { enabled: true, endpoint: false })
    child.get('/inside', () => 'inside')
    app.decorate('inner', { getter: () => child })
  }, { prefix: '/inner' })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  await send({ port, path: '/inner/inside' })
  await send({ port, path: '/outside' })
  await send({ port, path: '/%' })
  await expectOnly(t, (app as unknown as { inner: FastifyInstance }).inner, [
    { endpoint: '/inner/inside', status: 200, responseBytes: 6 },
    { endpoint: '/outside', status: 200, responseBytes: 7 },
    { endpoint: 'unmatched', status: 400, responseBytes: 'any' }
  ])
})

t.test('refuses a second registration on the same application, wherever it is', async t => {
  const again: Record<string, (app: FastifyInstance) => unknown> = {
    'at the root': app => app.register(vitals, { enabled: true, endpoint: false }),
    'in a child': app => app.register(async child => { await child.register(vitals, { enabled: true, endpoint: false }) }),
    'with a store of its own': app => app.register(vitals, { endpoint: false, registry: createRegistry() })
  }
  for (const [where, register] of Object.entries(again)) {
    const app = fastify()
    t.teardown(() => app.close())
    await app.register(vitals, { enabled: true, endpoint: false })
    await t.rejects(async () => { await register(app); await app.ready() }, { code: 'FSV_ERR_ALREADY_REGISTERED', message: /once/ }, where)
  }
  const disabled = fastify()
  t.teardown(() => disabled.close())
  await disabled.register(vitals, { enabled: false })
  await t.rejects(async () => { await disabled.register(vitals, { enabled: false }) }, { code: 'FSV_ERR_ALREADY_REGISTERED' }, 'also when disabled')
  const siblings = fastify()
  t.teardown(() => siblings.close())
  await siblings.register(async child => { await child.register(vitals, { enabled: true, endpoint: false }) })
  await t.rejects(async () => {
    await siblings.register(async child => { await child.register(vitals, { enabled: true, endpoint: false }) })
    await siblings.ready()
  }, { code: 'FSV_ERR_ALREADY_REGISTERED' }, 'in two children')
})

t.test('keeps the stores of several applications apart', async t => {
  const one = await start(t, app => { app.get('/a', () => 'one') })
  const two = await start(t, app => { app.get('/a', () => 'two!') })
  await send({ port: one.port, path: '/a' })
  await send({ port: two.port, path: '/a' })
  await send({ port: two.port, path: '/a' })
  await send({ port: one.port, path: '/%' })
  await expectOnly(t, one.app, [
    { endpoint: '/a', status: 200, responseBytes: 3 },
    { endpoint: 'unmatched', status: 400, responseBytes: 'any' }
  ])
  await expectOnly(t, two.app, [{ endpoint: '/a', status: 200, times: 2, responseBytes: 8 }])
  await one.app.close()
  await send({ port: two.port, path: '/%' })
  const client = await RawClient.connect({ port: two.port })
  await client.write('nonsense\r\n\r\n').untilEnd()
  await expectOnly(t, two.app, [
    { endpoint: '/a', status: 200, times: 2, responseBytes: 8 },
    { endpoint: 'unmatched', status: 400, responseBytes: 'any' },
    { method: '_OTHER', endpoint: 'malformed', status: 400, responseBytes: 'any', failure: 'parse_error' }
  ], 'the other goes on counting when one has closed')
})

t.test('sums what several applications share', async t => {
  const registry = createRegistry()
  const one = await start(t, app => { app.get('/a', () => 'one'); app.get('/only-one', () => 'x') }, { vitals: { registry } })
  const two = await start(t, app => { app.get('/a', () => 'two!') }, { vitals: { registry: one.app.vitals.registry } })
  t.equal(one.app.vitals.registry, registry)
  await send({ port: one.port, path: '/a' })
  await send({ port: two.port, path: '/a' })
  await send({ port: one.port, path: '/only-one' })
  await send({ port: two.port, path: '/only-one' })
  await two.app.inject('/a')
  const both = [
    { endpoint: '/a', status: 200, times: 3, responseBytes: 11 },
    { endpoint: '/only-one', status: 200, responseBytes: 1 },
    { endpoint: 'unmatched', status: 404, responseBytes: 'any' as const }
  ]
  await expectOnly(t, one.app, both)
  await expectOnly(t, two.app, both)
  await one.app.close()
  await send({ port: two.port, path: '/a' })
  await expectOnly(t, two.app, [{ endpoint: '/a', status: 200, responseBytes: 4 }, ...both])
})

t.test('counts nothing and adds no hook when it is disabled or nothing would show it, and keeps the interface', async t => {
  const ways: Record<string, VitalsOptions> = { disabled: { enabled: false }, 'without a way out': { endpoint: false } }
  for (const [way, options] of Object.entries(ways)) {
    const hooks: unknown[] = []
    const app = fastify({ forceCloseConnections: true })
    t.teardown(() => app.close())
    const { addHook } = app
    app.addHook = function (this: FastifyInstance, name: string, ...rest: unknown[]) {
      hooks.push(name)
      return addHook.call(this, name as never, ...rest as [never])
    } as never
    await app.register(vitals, options)
    app.get('/a', () => 'a')
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    t.equal((await send({ port, path: '/a' })).status, 200)
    await send({ port, path: '/%' })
    const client = await RawClient.connect({ port })
    await client.write('nonsense\r\n\r\n').untilEnd()
    t.equal(app.vitals.enabled, false, way)
    await expectOnly(t, app, [])
    t.equal(app.server.listenerCount('clientError'), 1, 'Fastify\'s own')
    app.vitals.counter({ name: 'things_total', help: 'Things.' }).inc()
    t.equal(app.vitals.read('things_total'), undefined)
    t.strictSame(hooks, [], way)
  }
})

t.test('says once that nothing is recorded where nothing would show it, and takes each way out for one', async t => {
  const off = /^fastify-vitals: nothing is recorded: there is neither .* enabled: true records/
  const register = async (options: VitalsOptions, environment: Record<string, string> = {}): Promise<{ lines: string[], enabled: boolean }> => {
    Object.assign(process.env, environment)
    try {
      const lines: string[] = []
      const app = fastify({ logger: { level: 'info', stream: { write: (line: string) => { lines.push((JSON.parse(line) as { msg: string }).msg) } } } })
      t.teardown(() => app.close())
      await app.register(vitals, options)
      return { lines: lines.filter(line => off.test(line)), enabled: app.vitals.enabled }
    } finally {
      for (const name of Object.keys(environment)) delete process.env[name]
    }
  }
  const none = { lines: 1, enabled: false }
  const quiet = { lines: 0, enabled: false }
  const on = { lines: 0, enabled: true }
  const cases: [string, VitalsOptions, Record<string, string>, typeof none][] = [
    ['neither', { endpoint: false }, {}, none],
    ['a push that is off', { endpoint: false, otlp: false }, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }, none],
    ['no exporter', { endpoint: false }, { OTEL_METRICS_EXPORTER: 'none' }, none],
    ['registries that only come in', { endpoint: false, meters: false, outbound: true }, {}, none],
    ['disabled', { endpoint: false, enabled: false }, {}, quiet],
    ['disabled by the environment', { endpoint: false }, { METRICS_ENABLED: 'false' }, quiet],
    ['enabled', { endpoint: false, enabled: true }, {}, on],
    ['enabled by the environment', { endpoint: false }, { METRICS_ENABLED: 'true' }, on],
    ['an endpoint', { auth: false }, {}, on],
    ['a push', { endpoint: false, otlp: { endpoint: 'http://127.0.0.1:1', closeTimeoutMs: 50 } }, {}, on],
    ['a push by the environment', { endpoint: false }, { OTEL_METRICS_EXPORTER: 'console' }, on],
    ['a shared registry', { endpoint: false, registry: createRegistry() }, {}, on],
    ['a bridge', { endpoint: false, meters: createMeterBridge() }, {}, on]
  ]
  for (const [name, options, environment, expected] of cases) {
    const { lines, enabled } = await register(options, environment)
    t.strictSame({ lines: lines.length, enabled }, expected, name)
  }
})

t.test('counts on a server that the application made itself', async t => {
  const { app, port } = await start(t, app => {
    app.get('/a', () => 'a')
    app.get('/wait', () => new Promise(() => {}))
  }, {
    fastify: { forceCloseConnections: true, serverFactory: (handler: http.RequestListener) => http.createServer((req, res) => handler(req, res)) }
  })
  await send({ port, path: '/a' })
  await send({ port, path: '/%' })
  const client = await RawClient.connect({ port })
  const seen = new Promise(resolve => app.server.once('request', resolve))
  client.write('GET /wait HTTP/1.1\r\nHost: x\r\n\r\n')
  await seen
  await client.reset()
  await expectOnly(t, app, [
    { endpoint: '/a', status: 200, responseBytes: 1 },
    { endpoint: 'unmatched', status: 400, responseBytes: 'any' },
    { endpoint: '/wait', status: 499, failure: 'client_abort' }
  ])
})

t.test('counts requests that were rewritten under the route they reached', async t => {
  const { app, port } = await start(t, app => { app.get('/new/:id', () => 'new') }, {
    fastify: { rewriteUrl: (req: http.IncomingMessage) => req.url!.replace('/old', '/new') }
  })
  await send({ port, path: '/old/1' })
  await expectOnly(t, app, [{ endpoint: '/new/:id', status: 200, responseBytes: 3 }])
})

t.test('leaves no listener behind when the application has closed', async t => {
  const { app, port } = await start(t, app => { app.get('/a', () => 'a') })
  await send({ port, path: '/a' })
  const { server } = app
  await app.close()
  t.equal(server.listenerCount('clientError'), 1, 'Fastify\'s own')
  await expectOnly(t, app, [{ endpoint: '/a', status: 200, responseBytes: 1 }])
})

t.test('counts what a forced close cuts off, once, and not as left by the client', async t => {
  let entered!: () => void
  const running = new Promise<void>(resolve => { entered = resolve })
  const { app, port } = await start(t, app => {
    app.get('/running', () => { entered(); return new Promise(() => {}) })
  }, { fastify: { forceCloseConnections: true } })
  const client = await RawClient.connect({ port })
  client.write('GET /running HTTP/1.1\r\nHost: x\r\n\r\n')
  await running
  await app.close()
  await client.untilEnd()
  await expectOnly(t, app, [{ endpoint: '/running', status: 200, failure: 'stream_error' }])
})

t.test('requests that are under way while the application removes or resets their gauge leave it at nothing', async t => {
  for (const forget of ['remove', 'reset'] as const) {
    const entered = [gate(), gate()]
    const leave = [gate(), gate()]
    const { app } = await start(t, app => {
      app.get('/:i', async request => {
        const i = Number((request.params as { i: string }).i)
        entered[i]!.open()
        await leave[i]!.promise
        return 'done'
      })
    })
    const inProgress = app.vitals.gauge({ name: 'http_requests_in_progress', help: 'Requests being answered now.', labels: ['method', 'endpoint'] })
    const labels = { method: 'GET', endpoint: '/:i' }
    const first = app.inject('/0').then(answer => answer)
    await entered[0]!.promise
    t.equal(app.vitals.read('http_requests_in_progress', labels), 1)
    if (forget === 'remove') inProgress.remove(labels)
    else inProgress.reset()
    const second = app.inject('/1').then(answer => answer)
    await entered[1]!.promise
    t.equal(app.vitals.read('http_requests_in_progress', labels), 1)
    for (const { open } of leave) open()
    await Promise.all([first, second])
    t.equal(app.vitals.read('http_requests_in_progress', labels), 0)
  }
})

t.test('a store that does not record is no hindrance to requests', async t => {
  const { app } = await start(t, app => app.get('/', () => 'fine'), { vitals: { registry: createRegistry({ recording: false }) } })
  t.equal((await app.inject('/')).statusCode, 200)
  t.equal(app.vitals.read('http_requests_total', { method: 'GET', endpoint: '/', status: '200' }), undefined)
})

t.test('warns of constant labels of the environment that a given registry does not take', async t => {
  const environment = { METRICS_LABEL_REGION: 'eu', METRICS_LABEL_ZONE: 'a' }
  Object.assign(process.env, environment)
  t.teardown(() => { for (const name of Object.keys(environment)) delete process.env[name] })
  for (const [constantLabels, unused] of [[{}, /: region, zone\./], [{ zone: 'a' }, /: region\./], [{ region: 'eu', zone: 'a' }, undefined]] as const) {
    const lines: string[] = []
    const logger = { level: 'warn', stream: { write: (line: string) => { lines.push(line) } } }
    await start(t, () => {}, { fastify: { logger }, vitals: { registry: createRegistry({ constantLabels }) } })
    t.equal(lines.length, unused === undefined ? 0 : 1)
    t.match(lines.join(), unused ?? '')
  }
})
