import rateLimit from '@fastify/rate-limit'
import fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import rateLimit10 from 'rate-limit-10'
import t from 'tap'
import { attachLimiterWatch } from '../../lib/limiter/attach.ts'
import { CheckRecorder } from '../../lib/limiter/check-recorder.ts'
import { contextsOf, hooksOf, rootOf } from '../../lib/contexts.ts'
import { createLimiter } from '../../lib/limiter/limiter.ts'
import { LimiterMetrics } from '../../lib/limiter/limiter-metrics.ts'
import vitals, { createRegistry } from '../../lib/index.ts'
import { gate } from '../support/gate.ts'
import { start } from '../support/start.ts'
import { CustomStore } from './support/custom-store.ts'
import { readLedger } from './support/limiter-ledger.ts'

const WINDOW = 3_600_000
const nowhere = (): undefined => undefined

t.test('a Fastify that keeps its contexts elsewhere is one context without hooks', async t => {
  const hooks: string[] = []
  const app = { addHook: (name: string) => hooks.push(name), decorateRequest () {} } as unknown as FastifyInstance
  t.strictSame(contextsOf(app), [app])
  t.equal(rootOf(app), app)
  t.strictSame(hooksOf(app), {})
  const { watch } = createLimiter(createRegistry(), { authenticated: undefined, labels: undefined }, nowhere, () => {})
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

t.test('tells refusals that a limiter from before it hides by their status', async t => {
  const off = { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false }
  const limit = {
    max: 1,
    addHeaders: { ...off, 'retry-after': false },
    addHeadersOnExceeding: off,
    errorResponseBuilder: (_request: FastifyRequest, { ban }: { ban: boolean }) => Object.assign(new Error('no'), { statusCode: ban ? 403 : 418 }),
    ban: 1
  }
  const { app } = await start(t, app => app.get('/', async () => 'fine'), {
    before: async app => {
      await app.register(rateLimit, limit)
      app.get('/own', { config: { rateLimit: { max: 1 } } }, async () => 'fine')
      app.get('/usual', { config: { rateLimit: { ...limit, errorResponseBuilder: () => Object.assign(new Error('no'), { statusCode: 429 }) } } }, async () => 'fine')
    }
  })
  for (const url of ['/', '/own', '/usual']) for (let i = 0; i < 3; i++) await app.inject(url)
  t.strictSame((await readLedger(app)).fates, {
    '/ allowed': 1,
    '/ exceeded': 1,
    '/ banned': 1,
    '/own allowed': 1,
    '/own exceeded': 1,
    '/own banned': 1,
    '/usual allowed': 1,
    '/usual exceeded': 2
  })
})

t.test('counts a refusal that a hook of another keeps to itself', async t => {
  const { app } = await start(t, () => {}, {
    before: async app => {
      await app.register(rateLimit, { max: 1 })
      wrapHooks(app, limit => async (request: FastifyRequest, reply: FastifyReply) => {
        await limit(request, reply).catch(() => { reply.header('x-refused', 'yes') })
      })
      for (const [url, config] of [['/a', {}], ['/b', ownLimit.config]] as const) app.get(url, { config }, async () => 'fine')
    }
  })
  for (const url of ['/a', '/b']) {
    for (const refused of [undefined, 'yes']) {
      const { statusCode, headers } = await app.inject(url)
      t.strictSame([statusCode, headers['x-refused']], [200, refused])
    }
  }
  t.strictSame((await readLedger(app)).fates, { '/a allowed': 1, '/a exceeded': 1, '/b allowed': 1, '/b exceeded': 1 })
})

t.test('a hook that is no limiter\'s is left alone in the end, and does all the while what it did', async t => {
  let calls = 0
  const { app } = await start(t, () => {}, {
    before: async app => {
      await app.register(rateLimit, { max: 5, global: false })
      app.get('/', {
        async preHandler (request) {
          calls++
          if (request.headers['x-fail'] !== undefined) throw Object.assign(new Error('no'), { statusCode: 418 })
        },
        onSend: (_request, _reply, payload, done) => done(null, `${String(payload)}, sent`)
      }, async () => 'fine')
      app.get('/throws', { preHandler () { throw Object.assign(new Error('no'), { statusCode: 418 }) } }, async () => 'fine')
    }
  })
  const { payload } = await app.inject('/throws')
  t.equal(payload, '{"statusCode":418,"error":"I\'m a Teapot","message":"no"}')
  for (let i = 0; i < 210; i++) {
    const { statusCode, body } = await app.inject({ url: '/', headers: i % 2 === 0 ? {} : { 'x-fail': '1' } })
    if (statusCode !== (i % 2 === 0 ? 200 : 418) || (i % 2 === 0 && body !== 'fine, sent')) t.fail(`request ${i}: ${statusCode} ${body}`)
  }
  t.equal(calls, 210)
  t.equal((await readLedger(app)).checks, 0)
})

t.test('learns the store of a limiter from before it while calls of it are on their way', async t => {
  const calls: ((error: null, result: [number, number]) => void)[] = []
  let called = gate()
  const redis = {
    defineCommand () {},
    rateLimit (...args: unknown[]) {
      calls.push(args.at(-1) as (typeof calls)[number])
      called.open()
    },
    rateLimitRead () {}
  }
  const { app } = await start(t, app => app.get('/', async () => 'fine'), { before: app => app.register(rateLimit, { max: 5, timeWindow: WINDOW, redis }) })
  const first = app.inject('/').then(answer => answer)
  await called.promise
  called = gate()
  const second = app.inject('/').then(answer => answer)
  await called.promise
  calls[0]!(null, [1, WINDOW])
  await first
  calls[1]!(null, [2, WINDOW])
  await second
  t.strictSame((await readLedger(app)).storeCalls, { 'redis incr': 2 })
})

/** An application's log of warnings of ours. */
function logOf (): { lines: string[], logger: object } {
  const lines: string[] = []
  return { lines, logger: { level: 'warn', stream: { write: (line: string) => { lines.push((JSON.parse(line) as { msg: string }).msg) } } } }
}

t.test('says once that it does not know a limiter', async t => {
  const unknown = /^fastify-vitals: A limiter of @fastify\/rate-limit is not counted: it is of a version that fastify-vitals does not know/
  const ran = Symbol('fastify.request.rateLimitRan')
  const also = Symbol('fastify.request.rateLimitRan')
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

/** Its children cannot be told from each other's calls: `incr` is of each instance. */
class Closed {
  #current = 0
  incr = (_key: string, callback: (error: null, result: object) => void): void => callback(null, { current: ++this.#current, ttl: WINDOW })
  child (): Closed { return new Closed() }
}

type LimitHook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** Has every hook that a limiter adds called by another, as plugins do that wrap hooks. */
function wrapHooks (app: FastifyInstance, wrap: (limit: LimitHook) => unknown): void {
  app.addHook('onRoute', route => {
    const [limit] = route.onRequest as [LimitHook]
    route.onRequest = wrap(limit) as never
  })
}

const ownLimit = { config: { rateLimit: { max: 1, timeWindow: WINDOW } } }
const UNSEEN = /^fastify-vitals: The limiter of shop \(prefix \/shop\) makes checks that are not counted: by a function of createRateLimit\(\) from before fastify-vitals was registered, or by a hook/
const CLOSED = /^fastify-vitals: A store of the limiter of shop \(prefix \/shop\) cannot be timed: .* what checks a function of createRateLimit\(\) or a hook of another plugin makes/
const MAYBE_UNSEEN = /^fastify-vitals: The limiter of shop \(prefix \/shop\) makes checks that are not counted, unless it is another application of this process/

for (const [major, plugin] of Object.entries({ 10: rateLimit10 as unknown as typeof rateLimit, 11: rateLimit })) {
  const shop = (routes: (child: FastifyInstance) => unknown, options: object = {}) => async (app: FastifyInstance): Promise<void> => {
    await app.register(async function shop (child) {
      await child.register(plugin, { max: 1, timeWindow: WINDOW, addHeaders: { 'x-ratelimit-limit': false }, ...options })
      await routes(child)
    }, { prefix: '/shop' })
  }

  t.test(`counts what hooks of others check from before it, under @fastify/rate-limit ${major}`, async t => {
    const wraps: ((limit: LimitHook) => unknown)[] = [
      limit => async (request: FastifyRequest, reply: FastifyReply) => { await limit(request, reply) },
      limit => (request: FastifyRequest, reply: FastifyReply) => limit(request, reply),
      limit => limit.bind(undefined)
    ]
    for (const wrap of wraps) {
      for (const store of [undefined, CustomStore]) {
        const { lines, logger } = logOf()
        const { app } = await start(t, () => {}, {
          fastify: { logger },
          before: shop(child => {
            wrapHooks(child, wrap)
            child.get('/a', async () => 'fine')
            child.get('/b', ownLimit, async () => 'fine')
          }, store && { store })
        })
        for (const url of ['/shop/a', '/shop/b']) {
          for (const [status, limit] of [[200, '1'], [429, undefined], [429, undefined]] as const) {
            const { statusCode, headers } = await app.inject(url)
            t.strictSame([statusCode, headers['x-ratelimit-limit']], [status, limit])
          }
        }
        const { fates, checks, storeCalls } = await readLedger(app)
        t.strictSame(fates, { '/shop/a allowed': 1, '/shop/a exceeded': 2, '/shop/b allowed': 1, '/shop/b exceeded': 2 })
        t.strictSame([checks, storeCalls], [6, { [`${store === undefined ? 'local' : 'custom'} incr`]: 6 }])
        t.match(lines, [/^fastify-vitals: Route \/shop\/b has a limit with headers switched off/])
        t.equal(lines.length, 1)
      }
    }
  })

  t.test(`says once which limiter checks what it cannot see, and changes nothing for it, under @fastify/rate-limit ${major}`, async t => {
    const wraps: Record<string, (limit: LimitHook) => unknown> = {
      late: limit => async (request: FastifyRequest, reply: FastifyReply) => {
        await Promise.resolve()
        await limit(request, reply)
      },
      'with a callback': limit => (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => {
        limit(request, reply).then(() => done(), done)
      }
    }
    for (const [name, wrap] of Object.entries(wraps)) {
      for (const config of [{}, ownLimit]) {
        for (const store of [undefined, CustomStore, Closed]) {
          const { lines, logger } = logOf()
          const { app } = await start(t, () => {}, {
            fastify: { logger },
            before: shop(child => {
              wrapHooks(child, wrap)
              child.get('/a', config, async () => 'fine')
            }, store && { store })
          })
          const what = `${name} ${config === ownLimit ? 'own' : 'shared'} ${store?.name ?? 'local'}`
          for (const [status, limit] of [[200, '1'], [429, undefined], [429, undefined]] as const) {
            const { statusCode, headers } = await app.inject('/shop/a')
            t.strictSame([statusCode, headers['x-ratelimit-limit']], [status, limit], what)
          }
          // What it decides is told by the limiter's own store; what it lets pass without that is not.
          const isCounted = name === 'with a callback' && config !== ownLimit
          t.strictSame((await readLedger(app)).fates, isCounted ? { '/shop/a allowed': 1, '/shop/a exceeded': 2 } : {}, what)
          const isSaid = lines.some(line => UNSEEN.test(line) || MAYBE_UNSEEN.test(line))
          const isStoreSaid = lines.some(line => CLOSED.test(line))
          t.equal(isStoreSaid, store === Closed, what)
          if (!isCounted) t.ok(isSaid || isStoreSaid, what)
          t.equal(lines.length, Number(isSaid) + Number(isStoreSaid), what)
        }
      }
    }
  })

  t.test(`says once that functions of createRateLimit() from before it are not counted, under @fastify/rate-limit ${major}`, async t => {
    for (const [options, message] of [[undefined, UNSEEN], [{ max: 1 }, MAYBE_UNSEEN]] as const) {
      const { lines, logger } = logOf()
      const { app } = await start(t, () => {}, {
        fastify: { logger },
        before: shop(child => {
          const check = child.createRateLimit(options)
          child.get('/a', { config: { rateLimit: false } }, async request => await check(request))
        })
      })
      for (let i = 0; i < 3; i++) t.match((await app.inject('/shop/a')).json(), { isAllowed: false, isExceeded: i > 0 })
      t.equal((await readLedger(app)).checks, 0)
      t.match(lines, [message])
      t.equal(lines.length, 1)
    }
  })
}

t.test('says once that a store cannot be timed', async t => {
  class Frozen extends CustomStore {
    constructor (options: object) {
      super(options)
      Object.freeze(this)
    }
  }
  class Sealed extends CustomStore {
    static { Object.freeze(this.prototype) }
    override incr (...args: Parameters<CustomStore['incr']>): void { super.incr(...args) }
    override child (options: object): Sealed { return new Sealed(options) }
  }
  class FrozenChild extends CustomStore {
    override child (options: object): Frozen { return new Frozen(options) }
  }
  class Unusual extends CustomStore {
    static { Object.assign(this.prototype, { incr: undefined, read: undefined }) }
  }
  const limit = { config: { rateLimit: { max: 5 } } }
  for (const [store, isFirst, timed] of [[Frozen, false, 1], [Closed, false, 1], [Sealed, false, 1], [FrozenChild, false, 1]] as const) {
    const { lines, logger } = logOf()
    const register = async (app: FastifyInstance): Promise<void> => {
      await app.register(rateLimit, { store: store as never })
      app.get('/', async () => 'fine')
      app.get('/own', limit, async () => 'fine')
    }
    const { app } = await start(t, async app => { if (isFirst) await register(app) }, { fastify: { logger }, before: async app => { if (!isFirst) await register(app) } })
    for (const url of ['/', '/own', '/own']) t.equal((await app.inject(url)).statusCode, 200)
    const { fates, storeCalls } = await readLedger(app)
    t.strictSame([fates, storeCalls], [{ '/ allowed': 1, '/own allowed': 2 }, timed > 0 ? { 'custom incr': timed } : {}], store.name)
    t.match(lines, [/^fastify-vitals: A store of the limiter of fastify cannot be timed: rate_limit_store_duration_seconds lacks it/], store.name)
    t.equal(lines.length, 1, store.name)
  }
  const { app } = await start(t, app => app.get('/', async () => 'fine'), { before: app => app.register(rateLimit, { store: Unusual as never }) })
  t.equal((await app.inject('/')).statusCode, 500, 'a store that cannot count is the application\'s own mistake')
})

t.test('times a store that cannot be changed, and tells its failures that a limiter skips', async t => {
  class Frozen extends CustomStore {
    constructor (options: object) {
      super(options)
      Object.freeze(this)
    }
  }
  const { app } = await start(t, async app => {
    await app.register(rateLimit, { store: Frozen as never, skipOnError: true, keyGenerator: () => 'broken' })
    app.get('/', async () => 'fine')
  })
  t.equal((await app.inject('/')).statusCode, 200)
  t.equal(app.vitals.read('rate_limit_errors_total', { endpoint: '/', error_type: 'ESTORE' }), 1)
  t.strictSame((await readLedger(app)).storeCalls, { 'custom incr': 1 })
})

t.test('gives back what it has wrapped, but not what others have wrapped since', async t => {
  for (const isWrapped of [false, true]) {
    const app = fastify()
    t.teardown(() => app.close())
    const { addHook, decorateRequest } = app
    await app.register(vitals, { endpoint: false })
    const wrapper = function (this: FastifyInstance, ...args: Parameters<typeof addHook>) { return addHook.apply(this, args) }
    if (isWrapped) app.addHook = wrapper as never
    await app.ready()
    t.equal(app.addHook, isWrapped ? wrapper : addHook)
    t.equal(app.decorateRequest, decorateRequest)
  }
})

t.test('takes stores as they are', async t => {
  class Bare {
    incr (_key: string, callback: (error: null, result: object) => void): void {
      callback(null, { current: 1, ttl: 1_000 })
      callback(null, { current: 2, ttl: 1_000 })
    }

    child (): undefined {}
  }
  /** One store for all routes. */
  class Shared extends Bare {
    override child (): this & undefined { return this as never }
  }
  for (const [store, url] of [[Bare, '/'], [Shared, '/own']] as const) {
    let made: object | undefined
    const { app } = await start(t, async app => {
      await app.register(rateLimit, { store: class extends store { constructor () { super(); made = this } } as never })
      app.get('/', async () => 'fine')
      if (store === Shared) app.get('/own', { config: { rateLimit: { max: 5 } } }, async () => 'fine')
    })
    t.equal((await app.inject(url)).statusCode, 200)
    const { fates, storeCalls } = await readLedger(app)
    t.strictSame([fates, storeCalls], [{ [`${url} allowed`]: 1 }, { 'custom incr': 1 }])
    t.strictSame(Object.keys(made!), [])
  }
})

t.test('takes a store that lacks something as its limiter does', async t => {
  class Childless {
    incr (_key: string, callback: (error: null, result: object) => void): void { callback(null, { current: 1, ttl: WINDOW }) }
  }
  class Barren extends Childless { child (): undefined {} }
  class Idle { child (): Childless { return new Childless() } }
  for (const [store, routes] of [
    [Childless, (app: FastifyInstance) => app.get('/', ownLimit, async () => 'fine')],
    [Barren, (app: FastifyInstance) => app.get('/', ownLimit, async () => 'fine')],
    [Idle, (app: FastifyInstance) => app.get('/', async () => 'fine')],
    [Childless, (app: FastifyInstance) => {
      const check = app.createRateLimit() as (...args: unknown[]) => Promise<unknown>
      app.get('/', { config: { rateLimit: false } }, async request => await check(request, { increment: false }))
    }]
  ] as const) {
    const register = async (app: FastifyInstance): Promise<unknown> => {
      await app.register(rateLimit, { store: store as never })
      try {
        routes(app)
        return undefined
      } catch (error) {
        return String(error)
      }
    }
    const bare = fastify()
    t.teardown(() => bare.close())
    const expected = await register(bare)
    let seen: unknown
    const { app } = await start(t, async app => { seen = await register(app) })
    t.equal(seen, expected)
    t.strictSame((await app.inject('/')).body, (await bare.inject('/')).body)
  }
})

t.test('leaves replies as they are whose `header` somebody has replaced', async t => {
  const replaced: unknown[] = []
  const { app } = await start(t, () => {}, {
    before: async app => {
      await app.register(rateLimit, { max: 5, timeWindow: WINDOW })
      wrapHooks(app, limit => async (request: FastifyRequest, reply: FastifyReply) => {
        const { header } = reply
        const own: typeof header = function (this: FastifyReply, ...args) { return header.apply(this, args) as never }
        if (request.url === '/inside') reply.header = own
        await limit(request, reply)
        if (request.url === '/inside') replaced.push(reply.header === own)
      })
      app.addHook('onRequest', async (request, reply) => {
        if (request.url !== '/before') return
        const { header } = reply
        reply.header = function (this: FastifyReply, ...args: Parameters<typeof header>) { return header.apply(this, args) } as never
      })
      for (const url of ['/inside', '/before']) app.get(url, { config: { rateLimit: { max: 3 } } }, async (_request, reply) => Object.hasOwn(reply, 'header'))
    }
  })
  for (const url of ['/inside', '/before']) {
    const { body, headers } = await app.inject(url)
    t.strictSame([body, headers['x-ratelimit-remaining']], ['true', '2'])
  }
  t.strictSame(replaced, [true])
  t.strictSame((await readLedger(app)).fates, { '/inside allowed': 1, '/before allowed': 1 })
})

t.test('a failure that a limiter from before it skips is of unknown type where its store cannot be changed', async t => {
  class Failing {
    incr = (_key: string, callback: (error: Error) => void): void => callback(new RangeError('no'))
    child (): Failing { return new Failing() }
  }
  const { app } = await start(t, () => {}, {
    before: async app => {
      await app.register(rateLimit, { store: Failing as never, skipOnError: true })
      app.get('/', ownLimit, async () => 'fine')
    }
  })
  t.equal((await app.inject('/')).statusCode, 200)
  t.equal(app.vitals.read('rate_limit_errors_total', { endpoint: '/', error_type: 'unknown' }), 1)
})

/** What an `incr` may do with its callback, and what that comes to. */
const answers: Record<string, readonly [incr: (callback: (error: unknown, result?: unknown) => unknown) => unknown, fate: string]> = {
  'answers with a promise': [callback => callback(null, Promise.resolve({ current: 3, ttl: WINDOW })), 'exceeded'],
  'answers with a promise that fails': [callback => callback(null, Promise.reject(new RangeError('late'))), 'failed'],
  'fails, with a promise beside': [callback => callback(new RangeError('no'), Promise.resolve({ current: 1, ttl: WINDOW })), 'failed'],
  throws: [() => { throw new RangeError('broken') }, 'failed'],
  'throws when it has answered': [callback => { callback(null, { current: 1, ttl: WINDOW }); throw new RangeError('broken') }, 'allowed'],
  'answers nothing': [callback => callback(null), 'failed'],
  'answers null': [callback => callback(null, null), 'failed'],
  'fails with a text': [callback => { const text: unknown = 'no'; callback(text) }, 'failed'],
  'answers twice': [callback => { callback(null, { current: 1, ttl: WINDOW }); setImmediate(callback, null, { current: 9, ttl: WINDOW }) }, 'allowed'],
  'counts in texts': [callback => callback(null, { current: '3', ttl: WINDOW }), 'exceeded']
}

for (const [name, [incr, fate]] of Object.entries(answers)) {
  t.test(`takes a store that ${name} as its limiter does`, async t => {
    class Odd {
      incr (_key: string, callback: (error: unknown, result?: unknown) => unknown): unknown { return incr(callback) }
      child (): Odd { return new Odd() }
    }
    for (const plugin of [rateLimit10 as unknown as typeof rateLimit, rateLimit]) {
      for (const skipOnError of [false, true]) {
        const register = async (app: FastifyInstance): Promise<void> => {
          await app.register(plugin, { max: 2, store: Odd as never, skipOnError })
        }
        const routes = (app: FastifyInstance): void => {
          app.get('/a', async () => 'fine')
          app.get('/b', { config: { rateLimit: { max: 1 } } }, async () => 'fine')
        }
        const bare = fastify()
        t.teardown(() => bare.close())
        await register(bare)
        routes(bare)
        const { app } = await start(t, async app => { await register(app); routes(app) })
        for (const url of ['/a', '/b']) {
          const [expected, seen] = [await bare.inject(url), await app.inject(url)]
          t.strictSame([seen.statusCode, seen.body], [expected.statusCode, expected.body])
        }
        t.strictSame((await readLedger(app)).fates, { [`/a ${fate}`]: 1, [`/b ${fate}`]: 1 })
      }
    }
  })
}

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

t.test('leaves nothing behind in what all applications share', async t => {
  const { LocalStore, before } = await classes()
  const { app } = await start(t, async () => {}, { before: app => app.register(rateLimit) })
  t.not(LocalStore.prototype.incr, before)
  await app.close()
  t.equal(LocalStore.prototype.incr, before)
})

async function classes (): Promise<{ LocalStore: { prototype: { incr: unknown } }, before: unknown }> {
  const { createRequire } = await import('node:module')
  const LocalStore = createRequire(import.meta.url)('@fastify/rate-limit/store/LocalStore.js') as { prototype: { incr: unknown } }
  return { LocalStore, before: LocalStore.prototype.incr }
}

t.test('sees the limiters of the whole application from a context of its own', async t => {
  for (const isFirst of [true, false]) {
    const app = fastify()
    t.teardown(() => app.close())
    let inner: FastifyInstance | undefined
    if (!isFirst) await app.register(rateLimit, { max: 1 })
    await app.register(async child => {
      await child.register(vitals, { endpoint: false })
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
