import rateLimit from '@fastify/rate-limit'
import type { FastifyRateLimitStore, RateLimitPluginOptions } from '@fastify/rate-limit'
import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { registerEndpoint } from '../../lib/endpoint/endpoint.ts'
import { TOKEN, bearer, get, rules, serve, settings, statusOf } from './support.ts'

const wrong = { authorization: 'Bearer wrong' }

async function statuses (count: number, url: string, headers: Record<string, string>): Promise<string> {
  const all = []
  for (let i = 0; i < count; i++) all.push(await statusOf(url, headers))
  return all.join(' ')
}

t.test('scrapes past the limit get 429 and when to come back', async (t) => {
  const { url } = await serve(t, { rateLimit: { max: 3, timeWindow: 90_000 } })
  t.equal(await statuses(4, url, bearer), '200 200 200 429')
  const { headers, body } = await get(url, bearer)
  t.match(headers['retry-after'], /^(?:90|[1-8][0-9])$/)
  t.equal(String(body), 'Too Many Requests\n')
})

t.test('a window that is over is forgotten', async (t) => {
  const { url } = await serve(t, { rateLimit: { max: 1, timeWindow: 200 } })
  let refused
  do refused = await get(url, bearer); while (refused.status !== 429)
  t.equal(refused.headers['retry-after'], '1', 'at least a second')
  let accepted
  do accepted = await get(url, bearer); while (accepted.status !== 200)
  t.ok(accepted.body.length > 0)
})

t.test('false is no limit, for scrapes nor for failures', async (t) => {
  const { url } = await serve(t, { rateLimit: false })
  t.equal(new Set((await statuses(80, url, bearer)).split(' ')).size, 1)
  t.equal(await statuses(2, url, wrong), '401 401')
})

t.test('strangers cannot lock the scraper out, not even from its address', async (t) => {
  const { url } = await serve(t, { rateLimit: { max: 3, timeWindow: 60_000 } })
  t.equal(await statuses(6, url, wrong), '401 401 401 429 429 429')
  t.equal(await statuses(2, url, {}), '429 429', 'no credential is a failure too')
  t.equal(await statuses(4, url, bearer), '200 200 200 429', 'the scraper has all of its own')
  t.ok((await get(url, wrong)).headers['retry-after'])
})

t.test('the scraper cannot use up what failures may', async (t) => {
  const { url } = await serve(t, { rateLimit: { max: 2, timeWindow: 60_000 } })
  t.equal(await statuses(3, url, bearer), '200 200 429')
  t.equal(await statuses(3, url, wrong), '401 401 429')
})

t.test('a custom check that keeps failing ends in the bucket of failures', async (t) => {
  const custom = () => { throw new Error('down') }
  const { url } = await serve(t, { auth: rules({ custom, bearer: [TOKEN] }), rateLimit: { max: 2, timeWindow: 60_000 } })
  t.equal(await statuses(3, url, wrong), '500 500 429')
  t.equal(await statusOf(url, bearer), 200)
})

t.test('each address has a bucket, whatever a proxy calls an address', async (t) => {
  const { url } = await serve(t, { rateLimit: { max: 1, timeWindow: 60_000 } }, { trustProxy: true })
  const from = (address: string) => statusOf(url, { ...bearer, 'x-forwarded-for': address })
  for (const address of ['192.0.2.1', '192.0.2.2', '2001:db8:1::1', '2001:db8:2::1', 'unknown']) t.equal(await from(address), 200, address)
  for (const address of ['192.0.2.1', '::ffff:192.0.2.2', '2001:db8:1::2', 'fantasy', 'x'.repeat(5000)]) t.equal(await from(address), 429, address.slice(0, 40))
})

const limiter = (app: FastifyInstance, options: RateLimitPluginOptions = {}) => app.register(rateLimit, { max: 1, timeWindow: 60_000, ban: 0, ...options })
const arrangements: Record<string, (app: FastifyInstance) => Promise<unknown>> = {
  'a limiter registered before': async (app) => {
    await limiter(app)
    await registerEndpoint(app, settings())
  },
  'a limiter registered after': async (app) => {
    await registerEndpoint(app, settings())
    await limiter(app)
  },
  'the endpoint within a limited context': async (app) => {
    await limiter(app)
    await app.register(async (child) => { await registerEndpoint(child, settings()) })
  },
  'limiters without and within, on another hook': async (app) => {
    await limiter(app, { hook: 'preHandler' })
    await app.register(async (child) => {
      await limiter(child)
      await registerEndpoint(child, settings())
    })
  },
  'no limiter for all, but its decorators': async (app) => {
    await limiter(app, { global: false })
    await registerEndpoint(app, settings())
  }
}
for (const [name, arrange] of Object.entries(arrangements)) {
  t.test(`the application's limit and the endpoint's leave each other alone: ${name}`, async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    await arrange(app)
    await app.register(async (child) => {
      const config = { rateLimit: { max: 1, timeWindow: 60_000, ban: 0 } }
      child.get('/limited', { config }, async () => 'limited')
    })
    const ask = async (url: string, headers = {}) => (await app.inject({ url, headers })).statusCode
    const scrapes = new Set<number>()
    for (let i = 0; i < 60; i++) scrapes.add(await ask('/v1/metrics', bearer))
    t.same([...scrapes], [200])
    t.equal(await ask('/v1/metrics', bearer), 429, 'the endpoint has a limit')
    t.equal(await ask('/v1/metrics', wrong), 401)
    t.equal(await ask('/limited'), 200, 'scrapes took nothing of the application\'s limit')
    t.equal(await ask('/limited'), 403, 'which is still in force')
    t.equal(await ask('/v1/metrics', wrong), 401, 'an address that the application banned may ask')
  })
}

t.test('works where the application has no limiter, and gives it none', async (t) => {
  const { app, url } = await serve(t, { rateLimit: { max: 1, timeWindow: 60_000 } })
  t.equal(await statuses(2, url, bearer), '200 429')
  t.notOk(app.hasDecorator('rateLimit') || app.hasDecorator('createRateLimit'))
  t.equal(await statuses(3, url.replace('/v1/metrics', '/'), {}), '404 404 404')
})

t.test('never touches the store, the keys and the callbacks of the application\'s limiter', async (t) => {
  const calls: string[] = []
  class Store implements FastifyRateLimitStore {
    incr (_key: string, callback: (error: Error | null, result?: { current: number, ttl: number }) => void): void {
      calls.push('incr')
      callback(null, { current: 1, ttl: 1000 })
    }

    child (): Store {
      calls.push('child')
      return this
    }
  }
  const app = Fastify()
  t.teardown(() => app.close())
  const count = (name: string) => () => { calls.push(name) }
  await app.register(rateLimit, { max: 1, store: Store, allowList: () => { calls.push('allowList'); return false }, keyGenerator: () => { calls.push('key'); return 'key' }, onExceeding: count('exceeding'), onExceeded: count('exceeded') })
  await registerEndpoint(app, settings({ rateLimit: { max: 2, timeWindow: 60_000 } }))
  const ask = async () => (await app.inject({ url: '/v1/metrics', headers: bearer })).statusCode
  t.same([await ask(), await ask(), await ask()], [200, 200, 429])
  t.same(calls, [])
})
