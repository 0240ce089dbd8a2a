import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import rateLimit10 from 'rate-limit-10'
import t from 'tap'
import { start } from '../support/start.ts'
import { CustomStore } from './support/custom-store.ts'
import { readLedger } from './support/limiter-ledger.ts'
import { logOf } from './support/warnings.ts'

// Stores that a limiter has made before fastify-vitals was registered, by the `child()` of a store of the application's own.

type Incr = CustomStore['incr']

const MAYBE_UNSEEN = /^fastify-vitals: The limiter of fastify makes checks that are not counted, unless it is another application of this process/
const UNHEARD = /^fastify-vitals: The limiter of fastify has a store of the application's own and was registered before fastify-vitals: should its child\(\) make stores of another class/

const keys: string[] = []

/** What a subclass adds is done at each call. */
class Prefixing extends CustomStore {
  override incr (...[key, ...rest]: Parameters<Incr>): void {
    keys.push(`shop:${key}`)
    super.incr(`shop:${key}`, ...rest)
  }

  override child (options: object): CustomStore { return new Prefixing(options) }
}

class MakesSubclass extends CustomStore {
  override child (options: object): CustomStore { return new Adding(options) }
}

class Adding extends MakesSubclass {
  override incr (...[key, ...rest]: Parameters<Incr>): void {
    keys.push(`shop:${key}`)
    super.incr(`shop:${key}`, ...rest)
  }
}

class Sibling extends CustomStore {}

class MakesSibling extends CustomStore {
  override child (options: object): CustomStore { return new Sibling(options) }
}

class Stranger {
  #current = 0
  incr (_key: string, callback: (error: null, result: object) => void): void { callback(null, { current: ++this.#current, ttl: 3_600_000 }) }
  child (): Stranger { return this }
}

class MakesStranger extends CustomStore {
  override child (): never { return new Stranger() as never }
}

for (const [major, plugin] of Object.entries({ 10: rateLimit10 as unknown as typeof rateLimit, 11: rateLimit })) {
  t.test(`calls a store as it is that adds to what its class does, under @fastify/rate-limit ${major}`, async t => {
    for (const store of [Prefixing, MakesSubclass]) {
      keys.length = 0
      const { app } = await start(t, () => {}, {
        before: async app => {
          await app.register(plugin, { max: 2, store: store as never })
          app.get('/own', { config: { rateLimit: { max: 2 } } }, async () => 'fine')
        }
      })
      for (const status of [200, 200, 429]) t.equal((await app.inject('/own')).statusCode, status, store.name)
      t.strictSame(keys, Array(3).fill('shop:127.0.0.1'), store.name)
      const { fates, storeCalls } = await readLedger(app)
      t.strictSame([fates, storeCalls], [{ '/own allowed': 2, '/own exceeded': 1 }, { 'custom incr': 3 }], store.name)
      await app.close()
    }
  })

  t.test(`says once that checks with stores from before it are not counted, or may be made unheard, under @fastify/rate-limit ${major}`, async t => {
    for (const [store, message, level] of [[MakesSibling, MAYBE_UNSEEN, 'warn'], [MakesSubclass, MAYBE_UNSEEN, 'warn'], [MakesStranger, UNHEARD, 'info'], [undefined, undefined, 'info']] as const) {
      const { lines, logger } = logOf(level)
      const { app } = await start(t, () => {}, {
        fastify: { logger },
        before: async app => {
          await app.register(plugin, { max: 1, global: false, ...store && { store: store as never } })
          const check = app.createRateLimit({ max: 1 } as never)
          app.get('/', async request => await check(request))
        }
      })
      for (const isExceeded of [false, true, true]) t.match((await app.inject('/')).json(), { isExceeded })
      t.equal((await readLedger(app)).checks, 0)
      const told = lines.filter(line => message?.test(line))
      t.equal(told.length, message === undefined ? 0 : 1, `${store?.name}: ${lines.join('; ')}`)
      if (store === undefined) t.notOk(lines.some(line => UNHEARD.test(line)), 'a store of the limiter\'s own makes its like')
      await app.close()
    }
  })
}

t.test('leaves a store alone whose `incr` is nailed down', async t => {
  class Nailed extends CustomStore {
    constructor (options: object) {
      super(options)
      Object.defineProperty(this, 'incr', { value: (...args: Parameters<Incr>) => { super.incr(...args) }, enumerable: false })
    }

    override child (options: object): Nailed { return new Nailed(options) }
  }
  const { lines, logger } = logOf()
  const { app } = await start(t, () => {}, {
    fastify: { logger },
    before: async app => {
      await app.register(rateLimit, { max: 1, store: Nailed as never })
      app.get('/own', { config: { rateLimit: { max: 1 } } }, async () => 'fine')
    }
  })
  for (const status of [200, 429, 429]) t.equal((await app.inject('/own')).statusCode, status)
  t.strictSame((await readLedger(app)).fates, { '/own allowed': 1, '/own exceeded': 2 })
  t.match(lines, [/^fastify-vitals: A store of the limiter of fastify cannot be timed/])
})

t.test('leaves what others have wrapped since on a class of stores', async t => {
  class Store extends CustomStore {
    static { Object.assign(this.prototype, { incr: super.prototype.incr }) }
    override child (options: object): Store { return new Store(options) }
  }
  const original = Store.prototype.incr
  let calls = 0
  const before = async (app: FastifyInstance): Promise<void> => {
    await app.register(rateLimit, { max: 2, store: Store as never })
    app.get('/own', { config: { rateLimit: { max: 2 } } }, async () => 'fine')
  }
  const { app } = await start(t, () => {}, { before })
  const { incr } = Store.prototype
  t.not(incr, original)
  const wrapper: Incr = function (this: CustomStore, ...args) {
    calls++
    incr.apply(this, args)
  }
  Store.prototype.incr = wrapper
  await app.close()
  t.equal(Store.prototype.incr, wrapper)
  const { app: next } = await start(t, () => {}, { before })
  for (const status of [200, 200, 429]) t.equal((await next.inject('/own')).statusCode, status)
  t.strictSame((await readLedger(next)).fates, { '/own allowed': 2, '/own exceeded': 1 })
  t.equal(calls, 3)
})

t.test('leaves no trace on a class that inherits how it counts', async t => {
  class Heir extends CustomStore { override child (options: object): Heir { return new Heir(options) } }
  const { incr } = CustomStore.prototype
  const { app } = await start(t, () => {}, { before: (app: FastifyInstance) => app.register(rateLimit, { store: Heir as never }) })
  t.not(Heir.prototype.incr, incr)
  await app.close()
  t.equal(Heir.prototype.incr, incr)
  t.notOk(Object.hasOwn(Heir.prototype, 'incr'))
})
