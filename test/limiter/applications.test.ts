import rateLimit from '@fastify/rate-limit'
import t from 'tap'
import { start } from '../support/start.ts'
import { readLedger } from './support/limiter-ledger.ts'

t.test('tells two applications of one process apart', async t => {
  const apps = []
  for (const max of [1, 2]) {
    const { app } = await start(t, async app => { app.get('/', async () => 'fine') }, { before: app => app.register(rateLimit, { max, timeWindow: 3_600_000 }) })
    apps.push(app)
  }
  const { app: shared } = await start(t, async app => {
    await app.register(rateLimit, { max: 1 })
    app.get('/shared', async () => 'fine')
  }, { vitals: { registry: apps[1]!.vitals.registry } })
  for (let i = 0; i < 4; i++) await Promise.all([...apps, shared].map(app => app.inject(app === shared ? '/shared' : '/')))
  t.match((await readLedger(apps[0]!)).fates, { '/ allowed': 1, '/ exceeded': 3 })
  t.match((await readLedger(shared)).fates, { '/ allowed': 2, '/ exceeded': 2, '/shared allowed': 1, '/shared exceeded': 3 })
})

t.test('leaves limiters alone where it is told to', async t => {
  for (const options of [{ limiter: false as const }, { enabled: false }]) {
    const { app } = await start(t, async app => {
      await app.register(rateLimit, { max: 1 })
      app.get('/', async () => 'fine')
    }, { vitals: options })
    t.strictSame([(await app.inject('/')).statusCode, (await app.inject('/')).statusCode], [200, 429])
    t.equal(app.vitals.read('rate_limit_allowed_total', { endpoint: '/', group: '' }), undefined)
  }
})
