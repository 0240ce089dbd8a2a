import { Agent } from 'node:http'
import rateLimit from '@fastify/rate-limit'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis-5'
import rateLimit10 from 'rate-limit-10'
import { createClient } from 'redis'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../lib/index.ts'
import { send } from '../support/send.ts'
import { start as startApp } from '../support/start.ts'
import type { RedisServer } from '../support/redis-server.ts'
import { startRedis } from '../support/redis-server.ts'
import type { Fates } from './support/limiter-ledger.ts'
import { add, readLedger, sum } from './support/limiter-ledger.ts'
import type { LimiterPlugin, Order } from './support/scenarios.ts'

const WINDOW = 3_600_000
const plugins = { 10: rateLimit10 as unknown as LimiterPlugin, 11: rateLimit }

interface Load {
  /** Resolves once so many more answers have come. */
  answered: (count: number) => Promise<void>
  /** Resolves with the answers by URL and status. */
  stop: () => Promise<Fates>
}

/** Requests that follow one another on several lines at once. */
function load (app: FastifyInstance, urls: readonly string[]): Load {
  const answers: Fates = {}
  const waiting = new Map<number, () => void>()
  let count = 0
  const over = new AbortController()
  const lines = urls.flatMap(url => Array.from({ length: 4 }, async () => {
    while (!over.signal.aborted) {
      add(answers, `${url} ${(await app.inject(url)).statusCode}`)
      waiting.get(++count)?.()
    }
  }))
  return {
    answered: more => new Promise(resolve => waiting.set(count + more, resolve)),
    stop: async () => {
      over.abort()
      await Promise.all(lines)
      return answers
    }
  }
}

async function start (t: Test, server: RedisServer, plugin: LimiterPlugin, order: Order): Promise<{ app: FastifyInstance, redis: Redis }> {
  // A client that gives up at once: a request is not to hang until Redis is back.
  const redis = new Redis({ port: server.port, host: '127.0.0.1', maxRetriesPerRequest: 0, retryStrategy: () => 10, connectTimeout: 1_000 })
  redis.on('error', () => {})
  const app = fastify()
  t.teardown(async () => {
    redis.disconnect()
    await app.close()
  })
  const watch = async (when: Order): Promise<void> => { if (order === when) await app.register(vitals, { enabled: true, endpoint: false }) }
  await watch('first')
  await app.register(plugin, { max: 50, timeWindow: WINDOW, redis })
  await watch('between')
  app.get('/strict', async () => 'fine')
  app.get('/lenient', { config: { rateLimit: { skipOnError: true } } }, async () => 'fine')
  await watch('after')
  await app.ready()
  return { app, redis }
}

for (const [major, plugin] of Object.entries(plugins)) {
  for (const [order, when] of [['first', 'before the limiter'], ['between', 'after the limiter'], ['after', 'after the routes']] as const) {
    t.test(`counts what fails while Redis is gone under @fastify/rate-limit ${major}, registered ${when}`, async t => {
      const server = await startRedis(t)
      const { app, redis } = await start(t, server, plugin, order)
      await redis.ping()
      const traffic = load(app, ['/strict', '/lenient'])
      await traffic.answered(200)
      await server.kill()
      await traffic.answered(200)
      await server.start()
      await new Promise(resolve => redis.status === 'ready' ? resolve(undefined) : redis.once('ready', resolve))
      await traffic.answered(400)
      const answers = await traffic.stop()

      const { fates, checks, timed } = await readLedger(app)
      t.ok(answers['/strict 500']! > 0, 'there were failures')
      t.equal(fates['/strict failed'], answers['/strict 500'], 'a failure that is not skipped is a 500')
      t.equal(fates['/strict exceeded'], answers['/strict 429'])
      t.equal(fates['/strict allowed'], answers['/strict 200'])
      t.equal(fates['/lenient exceeded'], answers['/lenient 429'])
      t.ok(fates['/lenient failed']! > 0, 'a failure that is skipped is a 200')
      t.equal(fates['/lenient failed']! + fates['/lenient allowed']!, answers['/lenient 200'])
      t.equal(checks, sum(answers), 'checks are requests')
      t.equal(timed, checks)
      // Redis forgot all when it was killed, so each of its lives allows 50; an answer that got lost may have been counted.
      t.ok(answers['/strict 200']! <= 100, 'no limit is passed')
      t.match(await app.vitals.render(), /rate_limit_errors_total\{endpoint="\/strict",error_type="MaxRetriesPerRequestError"\}/)
      t.notMatch(await app.vitals.render(), /rate_limit_errors_total\{[^}]*"unknown"/)
    })
  }
}

// Over sockets: `inject()` begins all of them in one turn, and what the limiter's own store in memory then tells is wrong without us too.
t.test('is never off by one, however many ask at once', async t => {
  const server = await startRedis(t)
  const redis = new Redis(server.port, '127.0.0.1')
  const older = new Redis5(server.port, '127.0.0.1')
  const agent = new Agent({ keepAlive: true, maxSockets: 32 })
  t.teardown(() => {
    redis.disconnect()
    older.disconnect()
    agent.destroy()
  })
  for (const [name, plugin] of Object.entries(plugins)) {
    for (const store of [{}, { redis, nameSpace: `exact-${name}-` }, { redis: older, nameSpace: `exact-older-${name}-` }]) {
      for (const isFirst of [true, false]) {
        const limit = (app: FastifyInstance): unknown => app.register(plugin, { max: 100, timeWindow: WINDOW, ...store, ...'nameSpace' in store && { nameSpace: `${store.nameSpace}${isFirst}-` } })
        const { app, port } = await startApp(t, async app => {
          if (isFirst) await limit(app)
          app.get('/', async () => 'fine')
        }, { before: async app => { if (!isFirst) await limit(app) } })
        const answers = await Promise.all(Array.from({ length: 250 }, () => send({ port, path: '/', agent })))
        const left = answers.filter(({ status }) => status === 200).map(({ headers }) => Number(headers['x-ratelimit-remaining'])).sort((a, b) => a - b)
        t.strictSame(left, Array.from({ length: 100 }, (_, i) => i))
        t.equal(app.vitals.read('rate_limit_allowed_total', { endpoint: '/', group: '' }), 100)
        t.equal(app.vitals.read('rate_limit_rejected_total', { endpoint: '/', group: '', reason: 'exceeded' }), 150)
        t.strictSame((await readLedger(app)).storeCalls, { [`${'redis' in store ? 'redis' : 'local'} incr`]: 250 })
      }
    }
  }
})

t.test('changes nothing for a client of node-redis, which the limiter does not take', async t => {
  const client = createClient()
  for (const [major, plugin] of Object.entries(plugins)) {
    const errors = []
    for (const isWithUs of [false, true]) {
      const app = fastify()
      if (isWithUs) await app.register(vitals, { enabled: true, endpoint: false })
      errors.push(await Promise.resolve(app.register(plugin, { redis: client })).then(() => undefined, (error: Error) => error.message))
      await app.close().catch(() => {})
    }
    t.match(errors[0], /defineCommand/, major)
    t.equal(errors[1], errors[0], major)
  }
})

t.test('times a store of the application\'s own on node-redis', async t => {
  const server = await startRedis(t)
  const client = createClient({ url: `redis://127.0.0.1:${server.port}` })
  await client.connect()
  t.teardown(() => client.destroy())
  class NodeRedisStore {
    incr (key: string, callback: (error: Error | null, result?: { current: number, ttl: number }) => void): void {
      client.incr(key).then(current => callback(null, { current, ttl: WINDOW }), callback)
    }

    child (): this { return this }
  }
  for (const [major, plugin] of Object.entries(plugins)) {
    for (const isFirst of [true, false]) {
      const options = { max: 2, timeWindow: WINDOW, store: NodeRedisStore as never, keyGenerator: () => `own-${major}-${isFirst}` }
      const { app } = await startApp(t, async app => {
        if (isFirst) await app.register(plugin, options)
        app.get('/', async () => 'fine')
      }, { before: async app => { if (!isFirst) await app.register(plugin, options) } })
      for (const status of [200, 200, 429]) t.equal((await app.inject('/')).statusCode, status)
      const { fates, storeCalls } = await readLedger(app)
      t.strictSame([fates, storeCalls], [{ '/ allowed': 2, '/ exceeded': 1 }, { 'custom incr': 3 }])
    }
  }
})
