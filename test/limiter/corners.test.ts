import rateLimit from '@fastify/rate-limit'
import fastify from 'fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import rateLimit10 from 'rate-limit-10'
import t from 'tap'
import { attachLimiterWatch } from '../../lib/limiter/attach.ts'
import { CheckRecorder } from '../../lib/limiter/check-recorder.ts'
import { contextsOf, hooksOf, requestPropertiesOf, rootOf } from '../../lib/contexts.ts'
import { createLimiter } from '../../lib/limiter/limiter.ts'
import { LimiterMetrics } from '../../lib/limiter/limiter-metrics.ts'
import vitals, { createRegistry } from '../../lib/index.ts'
import { start } from '../support/start.ts'
import { CustomStore } from './support/custom-store.ts'
import { readLedger } from './support/limiter-ledger.ts'
import { logOf } from './support/warnings.ts'

const nowhere = (): undefined => undefined

t.test('a Fastify that keeps its contexts elsewhere is one context without hooks', async t => {
  const hooks: string[] = []
  const app = { addHook: (name: string) => hooks.push(name), decorateRequest () {} } as unknown as FastifyInstance
  t.strictSame(contextsOf(app), [app])
  t.equal(rootOf(app), app)
  t.strictSame(hooksOf(app), {})
  t.strictSame(requestPropertiesOf(app), [])
  const { watch } = createLimiter(createRegistry(), { authenticated: undefined, labels: undefined }, nowhere, { info () {}, warn () {} })
  attachLimiterWatch(app, watch)
  t.strictSame(hooks, ['onReady', 'onClose'])
  const checks = new CheckRecorder(new LimiterMetrics(createRegistry(), []), { authenticated: undefined, labels: undefined }, () => '/a')
  t.ok(checks.rowsOf({ routeOptions: { config: { rateLimit: { groupId: 'g' } } } } as unknown as FastifyRequest))
})

t.test('leaves decorators of the application\'s own alone', async t => {
  const own = (): string => 'own'
  for (const isFirst of [true, false]) {
    const { app } = await start(t, async app => {
      if (isFirst) await app.register(rateLimit)
    }, {
      before: async app => {
        app.decorate('createRateLimit', own as never)
        app.decorate('rateLimit', { own } as never)
        if (!isFirst) await app.register(rateLimit)
      }
    })
    t.equal(app.createRateLimit, own)
    t.strictSame(app.rateLimit, { own })
  }
})

t.test('a peek is no check, but a call of the store', async t => {
  for (const isFirst of [true, false]) {
    const limit = (app: FastifyInstance): unknown => app.register(rateLimit, { max: 1, global: false })
    const { app } = await start(t, async app => {
      if (isFirst) await limit(app)
      const check = app.createRateLimit()
      app.get('/', async request => await (check as (...args: unknown[]) => Promise<unknown>)(request, { increment: false }))
    }, { before: async app => { if (!isFirst) await limit(app) } })
    await app.inject('/')
    t.same((await app.inject('/')).json(), { isAllowed: false, key: '127.0.0.1', max: 1, timeWindow: 60_000, remaining: 1, ttl: 0, ttlInSeconds: 0, isExceeded: false, isBanned: false })
    const { checks, storeCalls } = await readLedger(app)
    t.strictSame([checks, storeCalls], [0, { 'local read': 2 }])
  }
})

t.test('version 10 knows no peeks: what it is asked is a check', async t => {
  const { app } = await start(t, async app => {
    await app.register(rateLimit10 as unknown as typeof rateLimit, { max: 1, global: false, allowList: ['10.0.0.1'] })
    const check = app.createRateLimit() as (...args: unknown[]) => Promise<unknown>
    app.get('/', async request => await check(request, { increment: false }))
  })
  t.match((await app.inject('/')).json(), { isExceeded: false, remaining: 0 })
  t.match((await app.inject('/')).json(), { isExceeded: true })
  t.match((await app.inject({ url: '/', remoteAddress: '10.0.0.1' })).json(), { isAllowed: true })
  t.strictSame((await readLedger(app)).fates, { '/ allowed': 1, '/ exceeded': 1, '/ bypassed': 1 })
})

t.test('a peek of a client on the allow list is no check either', async t => {
  const { app } = await start(t, async app => {
    await app.register(rateLimit, { max: 1, global: false, allowList: ['127.0.0.1'] })
    const check = app.createRateLimit() as (...args: unknown[]) => Promise<unknown>
    app.get('/', async request => await check(request, { increment: false }))
  })
  t.match((await app.inject('/')).json(), { isAllowed: true })
  t.equal((await readLedger(app)).checks, 0)
})

t.test('a mistake in a route\'s limit is told as without it', async t => {
  for (const [limit, message] of [[true, /Unknown value for route rate-limit configuration/], [{ groupId: 7 }, /groupId must be a string/]] as const) {
    for (const isFirst of [true, false]) {
      const register = (app: FastifyInstance): unknown => app.register(rateLimit, { max: 1 })
      const { app } = await start(t, async app => {
        if (isFirst) await register(app)
        t.throws(() => app.get('/', { config: { rateLimit: limit as never } }, async () => 'fine'), message)
        app.get('/b', async () => 'fine')
      }, { before: async app => { if (!isFirst) await register(app) } })
      t.strictSame([(await app.inject('/b')).statusCode, (await app.inject('/b')).statusCode], [200, 429])
      t.strictSame((await readLedger(app)).fates, { '/b allowed': 1, '/b exceeded': 1 })
    }
  }
})

t.test('counts failures of limiters of createRateLimit()', async t => {
  for (const isFirst of [true, false]) {
    const { app } = await start(t, async app => {
      if (isFirst) await app.register(rateLimit, options)
      const checks = { '/skipped': app.createRateLimit({ skipOnError: true }), '/strict': app.createRateLimit({}) }
      for (const [url, check] of Object.entries(checks)) app.get(url, async request => (await check(request)).isAllowed)
    }, { before: async app => { if (!isFirst) await app.register(rateLimit, options) } })
    t.equal((await app.inject('/skipped')).statusCode, 200)
    t.equal((await app.inject('/strict')).statusCode, 500)
    t.strictSame((await readLedger(app)).fates, { '/skipped failed': 1, '/strict failed': 1 })
    t.equal(app.vitals.read('rate_limit_errors_total', { endpoint: '/skipped', error_type: 'ESTORE' }), 1)
    t.equal(app.vitals.read('rate_limit_errors_total', { endpoint: '/strict', error_type: 'ESTORE' }), 1)
  }
})
const options = { global: false, store: CustomStore as never, keyGenerator: () => 'broken' }

t.test('says once that it does not know a limiter', async t => {
  const unknown = /^fastify-vitals: A limiter of @fastify\/rate-limit is not counted: it is of a version that fastify-vitals does not know/
  const ran = Symbol('fastify.request.rateLimitRan')
  const also = Symbol('fastify.request.rateLimitRan')
  const hidden = Symbol('fastify.request.rateLimitRan')
  const plugins = [
    // Nothing of it is known.
    async () => {},
    // It opens in the same way, and never looks up its store.
    async (app: FastifyInstance) => {
      app.decorateRequest(also, false)
      const component = { rateLimitRan: also, store: {} }
      const params = { addHeaders: {}, addHeadersOnExceeding: {}, labels: {} }
      app.addHook('onRoute', route => {
        if (typeof route.config?.rateLimit === 'number') throw new Error('Unknown value for route rate-limit configuration')
        if (typeof route.config?.rateLimit === 'object') Object.assign(Object.create(component) as object, Object.assign({}, params))
        route.onRequest = [...[route.onRequest ?? []].flat(), async () => {}]
      })
    },
    // It comes in the same way, and has other parts.
    async (app: FastifyInstance) => {
      app.decorateRequest(ran, false)
      app.addHook('onRoute', route => {
        if (typeof route.config?.rateLimit === 'number') throw new Error('Unknown value for route rate-limit configuration')
        route.onRequest = [...[route.onRequest ?? []].flat(), async () => { t.ok('addHeadersOnExceeding errorResponseBuilder isExceeded') }]
      })
    },
    // It comes in the same way, and nothing in its text tells it.
    async (app: FastifyInstance) => {
      app.decorateRequest(hidden, false)
      app.addHook('onRoute', () => {})
    }
  ].map(plugin => fp(plugin, { name: '@fastify/rate-limit' }))
  for (const plugin of plugins) {
    for (const isFirst of [true, false]) {
      for (const isBesideAnother of [false, true]) {
        // Beside one that is known, one that has nothing that is known cannot be told.
        if (isBesideAnother && plugin === plugins[0]) continue
        // Nor one that never decides.
        if (!isFirst && plugin === plugins[1]) continue
        const { lines, logger } = logOf()
        const register = async (app: FastifyInstance): Promise<void> => {
          if (isBesideAnother) await app.register(rateLimit, { max: 1 })
          await app.register(async child => {
            await child.register(plugin)
            child.get('/', async () => 'fine')
            child.get('/alone', { config: { rateLimit: false } }, async () => 'fine')
          })
        }
        const { app } = await start(t, async app => { if (isFirst) await register(app) }, { fastify: { logger }, before: async app => { if (!isFirst) await register(app) } })
        t.strictSame([(await app.inject('/')).statusCode, (await app.inject('/')).statusCode], [200, isBesideAnother ? 429 : 200])
        t.equal((await app.inject('/alone')).statusCode, 200)
        t.equal(lines.length, 1)
        t.match(lines[0], unknown)
        t.equal((await readLedger(app)).checks, isBesideAnother ? 2 : 0)
      }
    }
  }
})

t.test('gives back what it has wrapped, but not what others have wrapped since', async t => {
  for (const isWrapped of [false, true]) {
    const app = fastify()
    t.teardown(() => app.close())
    const { addHook, decorateRequest } = app
    await app.register(vitals, { enabled: true, endpoint: false })
    const wrapper = function (this: FastifyInstance, ...args: Parameters<typeof addHook>) { return addHook.apply(this, args) }
    if (isWrapped) app.addHook = wrapper as never
    await app.ready()
    t.equal(app.addHook, isWrapped ? wrapper : addHook)
    t.equal(app.decorateRequest, decorateRequest)
  }
})

t.test('a limiter that is asked about what is no request does as it does without us', async t => {
  for (const isFirst of [true, false]) {
    const limit = (app: FastifyInstance): unknown => app.register(rateLimit, { max: 1, global: false })
    const { app } = await start(t, async app => { if (isFirst) await limit(app) }, { before: async app => { if (!isFirst) await limit(app) } })
    const check = app.createRateLimit() as (request: unknown) => Promise<{ isAllowed: boolean }>
    const own = app.createRateLimit({ keyGenerator: () => 'all' }) as typeof check
    await app.inject('/')
    await t.rejects(check(undefined))
    await t.rejects(own({ ip: '10.0.0.1' }), { message: /'config'/ })
    t.match(await check({ ip: '10.0.0.1', routeOptions: {} }), { isAllowed: false, remaining: 0 })
    t.match(await own({ ip: '10.0.0.1', routeOptions: { config: {} } }), { isAllowed: false, remaining: 0 })
    t.equal((await readLedger(app)).checks, 0)
    t.equal(app.vitals.read('vitals_record_errors_total', { metric: 'rate_limit_requests_total' }), 4)
  }
})

t.test('sees the limiters of the whole application from a context of its own', async t => {
  for (const isFirst of [true, false]) {
    const app = fastify()
    t.teardown(() => app.close())
    let inner: FastifyInstance | undefined
    if (!isFirst) await app.register(rateLimit, { max: 1 })
    await app.register(async child => {
      await child.register(vitals, { enabled: true, endpoint: false })
      inner = child
    })
    if (isFirst) await app.register(rateLimit, { max: 1 })
    app.get('/', async () => 'fine')
    await app.inject('/')
    await app.inject('/')
    t.strictSame((await readLedger(inner!)).fates, { '/ allowed': 1, '/ exceeded': 1 })
  }
})

t.test('survives an application that throws what is no error where it is asked for labels', async t => {
  const { app } = await start(t, async app => {
    await app.register(rateLimit, { max: 1 })
    app.get('/', async () => 'fine')
  }, { vitals: { limiter: { labels: { names: ['priority'], values: () => { const text: unknown = 'no label'; throw text } } } } })
  t.equal((await app.inject('/')).statusCode, 200)
})
