import rateLimit from '@fastify/rate-limit'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import rateLimit10 from 'rate-limit-10'
import t from 'tap'
import { start } from '../support/start.ts'
import { ClosedStore, CustomStore } from './support/custom-store.ts'
import { readLedger } from './support/limiter-ledger.ts'
import { logOf } from './support/warnings.ts'

const WINDOW = 3_600_000

const ownLimit = { config: { rateLimit: { max: 1, timeWindow: WINDOW } } }

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
  class Computed extends CustomStore {
    static { Object.defineProperty(this.prototype, 'incr', { get: () => super.prototype.incr }) }
    override child (options: object): Computed { return new Computed(options) }
  }
  // A frozen store that makes others, which are not, hides nothing.
  for (const [store, timed] of [[Frozen, 3], [ClosedStore, 1], [Sealed, 1], [Computed, 1], [FrozenChild, 1]] as const) {
    const { lines, logger } = logOf()
    const register = async (app: FastifyInstance): Promise<void> => {
      await app.register(rateLimit, { store: store as never })
      app.get('/', async () => 'fine')
      app.get('/own', limit, async () => 'fine')
    }
    const { app } = await start(t, () => {}, { fastify: { logger }, before: register })
    for (const url of ['/', '/own', '/own']) t.equal((await app.inject(url)).statusCode, 200)
    const { fates, storeCalls } = await readLedger(app)
    t.strictSame([fates, storeCalls], [{ '/ allowed': 1, '/own allowed': 2 }, { 'custom incr': timed }], store.name)
    const said = timed === 3 ? [] : [/^fastify-vitals: A store of the limiter of fastify cannot be timed: rate_limit_store_duration_seconds lacks it/]
    t.match(lines, said, store.name)
    t.equal(lines.length, said.length, store.name)
    await app.close()
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
  'counts in BigInts': [callback => callback(null, { current: 1n, ttl: WINDOW }), 'failed'],
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
