import rateLimit from '@fastify/rate-limit'
import fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import { attachLimiterWatch } from '../../lib/limiter/attach.ts'
import { CheckRecorder } from '../../lib/limiter/check-recorder.ts'
import { Check } from '../../lib/limiter/check.ts'
import { contextsOf, hooksOf, rootOf } from '../../lib/limiter/contexts.ts'
import { createLimiter } from '../../lib/limiter/limiter.ts'
import { LimiterMetrics } from '../../lib/limiter/limiter-metrics.ts'
import { seeStoresMade } from '../../lib/limiter/store-births.ts'
import vitals, { createRegistry } from '../../lib/index.ts'
import { gate } from '../support/gate.ts'
import { start } from '../support/start.ts'
import { CustomStore } from './support/custom-store.ts'
import { readLedger } from './support/limiter-ledger.ts'

const WINDOW = 3_600_000
const nowhere = (): undefined => undefined

t.test('a check does to the reply whatever else is asked of it', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  app.get('/', async (_request, reply) => {
    const check = new Check(reply, undefined) as Check & FastifyReply
    t.equal(check.code(201), reply)
    t.equal(check.statusCode, 201)
    check.statusCode = 202
    check.header('x-ratelimit-limit', 3).header('x-other', 1)
    t.strictSame([check.limit, check.hasDecided], [3, true])
    return 'fine'
  })
  const { statusCode, headers } = await app.inject('/')
  t.strictSame([statusCode, headers['x-ratelimit-limit'], headers['x-other']], [202, '3', '1'])
})

t.test('a Fastify that keeps its contexts elsewhere is one context without hooks, and loads plugins unseen', async t => {
  const hooks: string[] = []
  const app = { register: async () => {}, addHook: (name: string) => hooks.push(name) } as unknown as FastifyInstance
  t.strictSame(contextsOf(app), [app])
  t.equal(rootOf(app), app)
  t.strictSame(hooksOf(app), {})
  const { watch } = createLimiter(createRegistry(), { authenticated: undefined, labels: undefined }, nowhere, () => {})
  await t.resolves(attachLimiterWatch(app, watch))
  t.strictSame(hooks, [])
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
  const { app } = await start(t, async app => {
    await app.register(rateLimit, { max: 1, global: false })
    const check = app.createRateLimit()
    app.get('/', async request => await (check as (...args: unknown[]) => Promise<unknown>)(request, { increment: false }))
  })
  await app.inject('/')
  t.same((await app.inject('/')).json(), { isAllowed: false, key: '127.0.0.1', max: 1, timeWindow: 60_000, remaining: 1, ttl: 0, ttlInSeconds: 0, isExceeded: false, isBanned: false })
  const { checks, storeCalls } = await readLedger(app)
  t.strictSame([checks, storeCalls], [0, { 'local read': 2 }])
})

t.test('watches a limiter that was made for it elsewhere', async t => {
  const { app: elsewhere } = await start(t, async app => { await app.register(rateLimit, { max: 1, global: false }) }, { vitals: { limiter: false } })
  const registry = createRegistry()
  const { watch } = createLimiter(registry, { authenticated: undefined, labels: undefined }, request => request.routeOptions.url, () => {})
  const check = watch.made(() => elsewhere.createRateLimit({}) as never)
  const app = fastify()
  t.teardown(() => app.close())
  app.get('/v1/metrics', async request => (await check(request)).isExceeded)
  for (let i = 0; i < 3; i++) await app.inject('/v1/metrics')
  t.equal(registry.read('rate_limit_allowed_total', { endpoint: '/v1/metrics', group: '' }), 1)
  t.equal(registry.read('rate_limit_rejected_total', { endpoint: '/v1/metrics', group: '', reason: 'exceeded' }), 2)
  t.match(registry.read('rate_limit_store_duration_seconds', { store: 'local', operation: 'incr' }), { count: 3 })
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
    // What was skipped shows only where the store is watched.
    t.equal(app.vitals.read('rate_limit_errors_total', { endpoint: '/skipped', error_type: isFirst ? 'ESTORE' : 'unknown' }), 1)
    t.equal(app.vitals.read('rate_limit_errors_total', { endpoint: '/strict', error_type: 'ESTORE' }), 1)
  }
})
const options = { global: false, store: CustomStore as never, keyGenerator: () => 'broken' }

t.test('tells refusals that a limiter from before it hides by their status', async t => {
  const off = { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false }
  const { app } = await start(t, app => app.get('/', async () => 'fine'), {
    before: app => app.register(rateLimit, {
      max: 1,
      addHeaders: { ...off, 'retry-after': false },
      addHeadersOnExceeding: off,
      errorResponseBuilder: (_request, { ban }) => Object.assign(new Error('no'), { statusCode: ban ? 403 : 418 }),
      ban: 0
    })
  })
  for (let i = 0; i < 3; i++) await app.inject('/')
  t.strictSame((await readLedger(app)).fates, { '/ allowed': 1, '/ banned': 2 })
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

t.test('says once that a store cannot be timed', async t => {
  const lines: string[] = []
  const logger = { level: 'warn', stream: { write: (line: string) => { lines.push((JSON.parse(line) as { msg: string }).msg) } } }
  const bundled = fp(async () => {}, { name: '@fastify/rate-limit' })
  await start(t, async app => {
    await app.register(bundled)
    await app.register(async child => { await child.register(bundled) })
  }, { fastify: { logger } })
  t.equal(lines.length, 1)
  t.match(lines[0], /fastify-vitals: A store of @fastify\/rate-limit cannot be timed/)

  const { app } = await start(t, app => app.get('/', async () => 'fine'), { fastify: { logger }, before: app => app.register(rateLimit, { store: CustomStore as never }) })
  await app.inject('/')
  await app.inject('/')
  t.equal(lines.length, 2)
  t.match(lines[1], /one of the application's own and was made before/)
})

t.test('takes stores as they are', async t => {
  class Frozen extends CustomStore {
    constructor (options: unknown) {
      super(options)
      Object.freeze(this)
    }
  }
  class Bare {
    incr (_key: string, callback: (error: null, result: object) => void): void {
      callback(null, { current: 1, ttl: 1_000 })
      callback(null, { current: 2, ttl: 1_000 })
    }

    child (): undefined {}
  }
  for (const [store, timed] of [[Frozen, {}], [Bare, { 'custom incr': 1 }]] as const) {
    const { app } = await start(t, async app => {
      await app.register(rateLimit, { store: store as never })
      app.get('/', async () => 'fine')
    })
    t.equal((await app.inject('/')).statusCode, 200)
    const { fates, storeCalls } = await readLedger(app)
    t.strictSame([fates, storeCalls], [{ '/ allowed': 1 }, timed])
  }
})

t.test('leaves nothing behind in what all applications share', async t => {
  const { LocalStore, before } = await classes()
  const { app } = await start(t, async () => {}, { before: app => app.register(rateLimit) })
  t.not(LocalStore.prototype.incr, before)
  await app.close()
  t.equal(LocalStore.prototype.incr, before)
  t.notOk('continueExceeding' in LocalStore.prototype)
  const prototype = LocalStore.prototype as { continueExceeding?: unknown }
  t.strictSame(seeStoresMade(() => ['continueExceeding' in prototype, prototype.continueExceeding], () => t.fail('no store was made')), [true, undefined])
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
