import rateLimit from '@fastify/rate-limit'
import websocket from '@fastify/websocket'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import rateLimit10 from 'rate-limit-10'
import t from 'tap'
import type { Test } from 'tap'
import WebSocket from 'ws'
import vitals from '../../lib/index.ts'
import { startRedis } from '../support/redis-server.ts'
import { readLedger } from './support/limiter-ledger.ts'
import type { Order } from './support/scenarios.ts'

const WINDOW = 3_600_000
const server = await startRedis(t)
const redis = new Redis(server.port, '127.0.0.1')
t.teardown(() => redis.disconnect())

/** What a client that asks for an upgrade gets: a greeting, or an answer without what changes from run to run. */
async function ask (port: number, path: string): Promise<unknown> {
  const client = new WebSocket(`ws://127.0.0.1:${port}${path}`)
  client.on('error', () => {})
  const greeted = once(client, 'message').then(([text]) => String(text))
  const refused = once(client, 'unexpected-response').then(([, answer]) => answer as IncomingMessage)
  for (const outcome of [greeted, refused]) outcome.catch(() => {})
  const outcome = await Promise.race([greeted, refused])
  if (typeof outcome === 'string') {
    client.terminate()
    return outcome
  }
  const { statusCode, headers: { date, ...headers } } = outcome
  let body = ''
  for await (const chunk of outcome.setEncoding('utf8')) body += chunk as string
  for (const name of ['x-ratelimit-reset', 'retry-after']) if (Number(headers[name]) > 3_500) headers[name] = 'nearly an hour'
  return [statusCode, Object.entries(headers), body.replace(/retry in [\w ]+/, 'retry later')]
}

async function run (t: Test, plugin: typeof rateLimit, order: Order, store: object): Promise<{ app: FastifyInstance, answers: unknown[] }> {
  const app = fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  const watch = async (when: Order): Promise<void> => { if (order === when) await app.register(vitals, { enabled: true, endpoint: false }) }
  await app.register(websocket)
  await watch('first')
  await app.register(plugin, { max: 2, timeWindow: WINDOW, ...store })
  await watch('between')
  await app.register(async app => {
    app.get('/live', { websocket: true }, socket => socket.send('hello'))
    app.get('/own', { websocket: true, config: { rateLimit: { max: 1 } } }, socket => socket.send('hello'))
  })
  await watch('after')
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const answers = []
  for (const path of ['/live', '/live', '/live', '/own', '/own']) answers.push(await ask(port, path))
  return { app, answers }
}

for (const [major, plugin] of Object.entries({ 10: rateLimit10 as unknown as typeof rateLimit, 11: rateLimit })) {
  for (const kind of ['local', 'redis']) {
    t.test(`counts upgrades that a limiter allows and refuses under @fastify/rate-limit ${major} with a ${kind} store`, async t => {
      const storeOf = (order: Order): object => kind === 'redis' ? { redis, nameSpace: `live-${major}-${order}-` } : {}
      const bare = await run(t, plugin, 'without', storeOf('without'))
      t.match(bare.answers, ['hello', 'hello', [429], 'hello', [429]])
      for (const order of ['first', 'between', 'after'] as const) {
        const { app, answers } = await run(t, plugin, order, storeOf(order))
        t.strictSame(answers, bare.answers, order)
        const { fates, storeCalls } = await readLedger(app)
        t.strictSame(fates, { '/live allowed': 2, '/live exceeded': 1, '/own allowed': 1, '/own exceeded': 1 }, order)
        t.strictSame(storeCalls, { [`${kind} incr`]: 5 }, order)
      }
    })
  }
}
