import t from 'tap'
import { start } from '../support/start.ts'
import { send } from '../support/send.ts'
import { readLedger } from './support/limiter-ledger.ts'

t.test('sees the limiters of the metrics endpoint under its endpoint', async t => {
  for (const listen of [undefined, { port: 0 }]) {
    const { app } = await start(t, () => {}, { vitals: { endpoint: true, auth: { bearer: 'right' }, rateLimit: { max: 2 }, ...listen && { listen } } })
    const url = new URL(app.vitals.url!)
    const statuses = []
    for (const token of ['right', 'right', 'right', 'wrong', 'wrong', 'wrong']) {
      statuses.push((await send({ port: Number(url.port), path: url.pathname, headers: { authorization: `Bearer ${token}` } })).status)
    }
    t.strictSame(statuses, [200, 200, 429, 401, 401, 429])
    const { fates, checks, storeCalls } = await readLedger(app)
    t.strictSame(fates, { '/v1/metrics allowed': 4, '/v1/metrics exceeded': 2 })
    t.strictSame([checks, storeCalls], [6, { 'local incr': 6 }])
  }
})

t.test('leaves the limiters of the metrics endpoint alone where it is told to, and they limit all the same', async t => {
  const { app } = await start(t, () => {}, { vitals: { endpoint: true, auth: false, limiter: false, rateLimit: { max: 1 } } })
  const { port, pathname: path } = new URL(app.vitals.url!)
  t.equal((await send({ port: Number(port), path })).status, 200)
  t.equal((await send({ port: Number(port), path })).status, 429)
  t.strictSame((await readLedger(app)).fates, {})
})
