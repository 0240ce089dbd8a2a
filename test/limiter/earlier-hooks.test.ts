import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { setImmediate } from 'node:timers/promises'
import rateLimit10 from 'rate-limit-10'
import t from 'tap'
import type { Test } from 'tap'
import { gate } from '../support/gate.ts'
import { start } from '../support/start.ts'
import { ClosedStore, CustomStore } from './support/custom-store.ts'
import { readLedger } from './support/limiter-ledger.ts'
import { logOf } from './support/warnings.ts'

const WINDOW = 3_600_000

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
const BYPASSES = /^fastify-vitals: Of the checks of the limiter of shop \(prefix \/shop\), those that ask no store/
const MAYBE_UNSEEN = /^fastify-vitals: The limiter of shop \(prefix \/shop\) makes checks that are not counted, unless it is another application of this process/

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
  const { lines, logger } = logOf()
  const { app } = await start(t, () => {}, {
    fastify: { logger },
    before: async app => {
      await app.register(rateLimit, { max: 1 })
      wrapHooks(app, limit => async (request: FastifyRequest, reply: FastifyReply) => {
        await limit(request, reply).catch(() => { reply.header('x-refused', 'yes') })
      })
      const ban = { rateLimit: { ...ownLimit.config.rateLimit, ban: 0 } }
      for (const [url, config] of [['/a', {}], ['/b', ownLimit.config], ['/ban', ban]] as const) app.get(url, { config }, async () => 'fine')
    }
  })
  for (const url of ['/a', '/b', '/ban']) {
    t.strictSame(lines, [])
    for (const refused of [undefined, 'yes']) {
      const { statusCode, headers } = await app.inject(url)
      t.strictSame([statusCode, headers['x-refused']], [200, refused])
    }
  }
  t.strictSame((await readLedger(app)).fates, { '/a allowed': 1, '/a exceeded': 1, '/b allowed': 1, '/b exceeded': 1, '/ban allowed': 1, '/ban exceeded': 1 })
  t.match(lines, [/^fastify-vitals: Route \/ban bans, has its errors kept by a hook of another plugin and was declared before/])
  t.equal(lines.length, 1)
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

for (const [major, plugin] of Object.entries({ 10: rateLimit10 as unknown as typeof rateLimit, 11: rateLimit })) {
  const shop = (routes: (child: FastifyInstance) => unknown, options: object = {}) => async (app: FastifyInstance): Promise<void> => {
    await app.register(async function shop (child) {
      await child.register(plugin, { max: 1, timeWindow: WINDOW, addHeaders: { 'x-ratelimit-limit': false }, ...options })
      await routes(child)
    }, { prefix: '/shop' })
  }

  /** A shop whose hooks are called by others, with its routes and what the log says. */
  const startShop = async (t: Test, wrap: (limit: LimitHook) => unknown, routes: Record<string, object>, options?: object): Promise<{ app: FastifyInstance, lines: string[] }> => {
    const { lines, logger } = logOf()
    const { app } = await start(t, () => {}, {
      fastify: { logger },
      before: shop(child => {
        wrapHooks(child, wrap)
        for (const [url, route] of Object.entries(routes)) child.get(url, route, async () => 'fine')
      }, options)
    })
    return { app, lines }
  }

  t.test(`counts what hooks of others check from before it, under @fastify/rate-limit ${major}`, async t => {
    const wraps: ((limit: LimitHook) => unknown)[] = [
      limit => async (request: FastifyRequest, reply: FastifyReply) => { await limit(request, reply) },
      limit => (request: FastifyRequest, reply: FastifyReply) => limit(request, reply),
      limit => (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => { limit(request, reply).then(() => done(), done) },
      limit => (request: FastifyRequest, reply: FastifyReply, done: () => void) => { limit(request, reply).then(() => done(), error => reply.send(error)) },
      limit => limit.bind(undefined)
    ]
    for (const wrap of wraps) {
      for (const store of [undefined, CustomStore]) {
        const { lines, app } = await startShop(t, wrap, { '/a': {}, '/b': ownLimit }, store && { store })
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
      'without waiting': limit => (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
        limit(request, reply).catch(() => {})
        done()
      }
    }
    for (const [name, wrap] of Object.entries(wraps)) {
      for (const config of [{}, ownLimit]) {
        for (const store of [undefined, CustomStore, ClosedStore]) {
          const { lines, app } = await startShop(t, wrap, { '/a': config }, store && { store })
          const isLate = name === 'late'
          const what = `${name} ${config === ownLimit ? 'own' : 'shared'} ${store?.name ?? 'local'}`
          for (const status of isLate ? [200, 429, 429] : [200, 200, 200]) t.equal((await app.inject('/shop/a')).statusCode, status, what)
          // What it decides is told by the limiter's own store; what it lets pass without that is not.
          const isCounted = !isLate && config !== ownLimit
          // Stores answer in a later turn.
          await setImmediate()
          t.strictSame((await readLedger(app)).fates, isCounted ? { '/shop/a allowed': 1, '/shop/a exceeded': 2 } : {}, what)
          const isSaid = lines.some(line => UNSEEN.test(line) || MAYBE_UNSEEN.test(line))
          t.notOk(isCounted && isSaid, what)
          // Version 10 waits for its key, and may have let pass by then whoever is on its allow list.
          const isBypassSaid = lines.some(line => BYPASSES.test(line))
          t.equal(isBypassSaid, isCounted && major === '10', what)
          const isStoreSaid = lines.some(line => CLOSED.test(line))
          t.equal(isStoreSaid, store === ClosedStore, what)
          if (!isCounted) t.ok(isSaid || isStoreSaid, what)
          t.equal(lines.length, Number(isSaid) + Number(isStoreSaid) + Number(isBypassSaid), what)
        }
      }
    }
  })

  t.test(`sees what hooks of others that call back let pass without asking a store, under @fastify/rate-limit ${major}`, async t => {
    const wraps: Record<string, (limit: LimitHook) => unknown> = {
      'that tell': limit => (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => { limit(request, reply).then(() => done(), done) },
      'that answer themselves': limit => (request: FastifyRequest, reply: FastifyReply, done: () => void) => { limit(request, reply).then(() => done(), error => reply.send(error)) }
    }
    const options = {
      addHeaders: {},
      allowList: async (request: FastifyRequest) => await Promise.resolve(request.headers['x-friend'] !== undefined),
      keyGenerator: async (request: FastifyRequest) => await (request.headers['x-key'] === 'none' ? Promise.reject(new RangeError('no key')) : Promise.resolve('all'))
    }
    for (const [name, wrap] of Object.entries(wraps)) {
      for (const config of [{}, ownLimit]) {
        const { lines, app } = await startShop(t, wrap, { '/a': config }, options)
        const what = `${name} ${config === ownLimit ? 'own' : 'shared'}`
        const isTold = name === 'that tell'
        for (const [headers, status] of [[{}, 200], [{}, 429], [{ 'x-friend': '1' }, 200], [{}, 429], [{ 'x-friend': '1' }, 200]] as const) {
          t.equal((await app.inject({ url: '/shop/a', headers })).statusCode, status, what)
        }
        t.strictSame(lines, [], what)
        for (let i = 0; i < 2; i++) t.equal((await app.inject({ url: '/shop/a', headers: { 'x-key': 'none' } })).statusCode, 500, what)
        t.strictSame((await readLedger(app)).fates, { '/shop/a allowed': 1, '/shop/a exceeded': 2, '/shop/a bypassed': 2, ...isTold && { '/shop/a failed': 2 } }, what)
        const said = lines.filter(line => line.startsWith('fastify-vitals'))
        t.match(said, isTold ? [] : [config === ownLimit ? UNSEEN : BYPASSES], what)
        t.equal(said.length, isTold ? 0 : 1, what)
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
