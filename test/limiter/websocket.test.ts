import rateLimit from '@fastify/rate-limit'
import websocket from '@fastify/websocket'
import { once } from 'node:events'
import rateLimit10 from 'rate-limit-10'
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import WebSocket from 'ws'
import { start } from '../support/start.ts'
import { readLedger } from './support/limiter-ledger.ts'

for (const [major, plugin] of Object.entries({ 10: rateLimit10 as unknown as typeof rateLimit, 11: rateLimit })) {
  for (const isFirst of [true, false]) {
    t.test(`counts upgrades that a limiter allows and refuses under @fastify/rate-limit ${major}, registered ${isFirst ? 'before' : 'after'} it`, async t => {
      const limit = (app: FastifyInstance): unknown => app.register(plugin, { max: 2, timeWindow: 3_600_000 })
      const { app, port } = await start(t, async app => {
        if (isFirst) await limit(app)
        app.get('/live', { websocket: true }, socket => socket.send('hello'))
      }, {
        before: async app => {
          await app.register(websocket)
          if (!isFirst) await limit(app)
        }
      })
      const seen = []
      for (let i = 0; i < 3; i++) {
        const client = new WebSocket(`ws://127.0.0.1:${port}/live`)
        const refused = once(client, 'unexpected-response').then(([, { statusCode }]) => statusCode as number)
        const greeted = once(client, 'message').then(([text]) => String(text))
        refused.catch(() => {})
        greeted.catch(() => {})
        client.on('error', () => {})
        seen.push(await Promise.race([refused, greeted]))
        client.terminate()
      }
      t.strictSame(seen, ['hello', 'hello', 429])
      t.strictSame((await readLedger(app)).fates, { '/live allowed': 2, '/live exceeded': 1 })
    })
  }
}
