import rateLimit from '@fastify/rate-limit'
import t from 'tap'
import vitals from '../../lib/index.ts'
import type { VitalsOptions } from '../../lib/index.ts'
import fastify from 'fastify'
import type { FastifyRequest } from 'fastify'
import { start } from '../support/start.ts'
import { readLedger } from './support/limiter-ledger.ts'
import { logOf } from './support/warnings.ts'

t.test('takes what other limiters report', async t => {
  const { app } = await start(t, async app => {
    app.get('/items/:id', { config: { rateLimit: { groupId: 'shop' } } as never }, async request => {
      app.vitals.rateLimiter.allowed({ request, algorithm: 'token-bucket', durationSeconds: 0.002, tokens: 7, remaining: 7, limit: 10 })
      app.vitals.rateLimiter.rejected({ request, endpoint: '/elsewhere', group: 'other', authenticated: true })
      return 'fine'
    })
    app.get('/uncounted', { config: { vitals: false } }, async request => {
      app.vitals.rateLimiter.allowed({ request })
      app.vitals.rateLimiter.bypassed({ request, endpoint: '/counted all the same' })
      return 'fine'
    })
  })
  const { rateLimiter } = app.vitals
  await app.inject({ url: '/items/7', headers: { authorization: 'Bearer x' } })
  await app.inject('/uncounted')
  rateLimiter.rejected({ endpoint: '/a', reason: 'banned', limit: 0, remaining: 0 })
  rateLimiter.failed({ endpoint: '/a', error: 'timeout' })
  rateLimiter.failed({ endpoint: '/a', error: Object.assign(new Error('no'), { code: 'ECONNREFUSED' }) })
  rateLimiter.failed({ endpoint: '/a', error: new RangeError('no') })
  rateLimiter.failed({ endpoint: '/a', error: { name: 'with blanks in it' } })
  rateLimiter.failed({ error: 7 })
  rateLimiter.storeCall({ store: 'memcached', operation: 'incr', durationSeconds: 0.001 })
  t.strictSame((await readLedger(app)).fates, {
    '/items/:id shop allowed': 1,
    '/elsewhere other exceeded': 1,
    '/counted all the same bypassed': 1,
    '/a banned': 1,
    '/a failed': 4,
    ' failed': 1
  })
  t.equal(app.vitals.read('rate_limit_requests_total', { endpoint: '/items/:id', authenticated: 'true', algorithm: 'token-bucket' }), 1)
  t.equal(app.vitals.read('rate_limit_requests_total', { endpoint: '/elsewhere', authenticated: 'true', algorithm: 'fixed-window' }), 1)
  for (const type of ['timeout', 'ECONNREFUSED', 'RangeError', 'object']) t.equal(app.vitals.read('rate_limit_errors_total', { endpoint: '/a', error_type: type }), 1)
  t.match(app.vitals.read('rate_limit_tokens', { endpoint: '/items/:id' }), { count: 1, sum: 7 })
  t.match(app.vitals.read('rate_limit_quota_usage_ratio', { endpoint: '/items/:id' }), { count: 1, sum: 0.3 })
  t.match(app.vitals.read('rate_limit_quota_usage_ratio', { endpoint: '/a' }), { count: 1, sum: 1 })
  t.match(app.vitals.read('rate_limit_check_duration_seconds', { endpoint: '/items/:id', authenticated: 'true' }), { count: 1, sum: 0.002 })
  t.match(app.vitals.read('rate_limit_store_duration_seconds', { store: 'memcached', operation: 'incr' }), { count: 1, sum: 0.001 })
})

t.test('survives reports that are none', async t => {
  const { app } = await start(t, () => {})
  const { rateLimiter } = app.vitals
  for (const wrong of [undefined, null, 'text', 7]) {
    rateLimiter.allowed(wrong as never)
    rateLimiter.storeCall(wrong as never)
  }
  rateLimiter.allowed({ endpoint: '/a', remaining: NaN, tokens: Infinity, durationSeconds: 'long' as never, limit: -1 })
  t.equal((await readLedger(app)).checks, 1)
  t.equal(app.vitals.read('vitals_record_errors_total', { metric: 'rate_limit_requests_total' }), 4)
  t.equal(app.vitals.read('vitals_record_errors_total', { metric: 'rate_limit_store_duration_seconds' }), 4)
})

t.test('asks the application who is authenticated and for labels of its own', async t => {
  let isWrong = false
  let values = (request: FastifyRequest): Record<string, string> => isWrong ? null as never : { priority: String(request.headers['x-priority'] ?? 'low') }
  const { app } = await start(t, async app => {
    await app.register(rateLimit, { max: 3 })
    app.get('/', async () => 'fine')
  }, {
    vitals: {
      limits: { seriesPerMetric: 4 },
      limiter: {
        authenticated: request => {
          if (isWrong) throw new Error('who?')
          return request.headers['x-user'] !== undefined
        },
        labels: { names: ['priority'], values: request => values(request) }
      }
    }
  })
  await app.inject({ url: '/', headers: { 'x-user': 'me', 'x-priority': 'high' } })
  await app.inject('/')
  t.equal(app.vitals.read('rate_limit_allowed_total', { endpoint: '/', group: '', priority: 'high' }), 1)
  t.equal(app.vitals.read('rate_limit_allowed_total', { endpoint: '/', group: '', priority: 'low' }), 1)
  t.equal(app.vitals.read('rate_limit_requests_total', { endpoint: '/', authenticated: 'true', algorithm: 'fixed-window' }), 1)
  isWrong = true
  t.equal((await app.inject('/')).statusCode, 200, 'what throws there does not reach the request')
  t.equal(app.vitals.read('rate_limit_allowed_total', { endpoint: '/', group: '', priority: '' }), 1)
  t.equal(app.vitals.read('rate_limit_requests_total', { endpoint: '/', authenticated: 'false', algorithm: 'fixed-window' }), 2)
  t.ok(app.vitals.read('vitals_record_errors_total', { metric: 'rate_limit_requests_total' }))
  values = () => { throw new Error('labels?') }
  t.equal((await app.inject('/')).statusCode, 429)
  t.equal(app.vitals.read('rate_limit_rejected_total', { endpoint: '/', group: '', reason: 'exceeded', priority: '' }), 1)
  values = () => JSON.parse('just text') as never
  app.vitals.rateLimiter.rejected({ endpoint: '/b' })
  t.equal(app.vitals.read('rate_limit_rejected_total', { endpoint: '/b', group: '', reason: 'exceeded', priority: '' }), 1)
  values = () => ({ priority: `p${Math.random()}` })
  for (let i = 0; i < 20; i++) await app.inject('/')
  t.ok((app.vitals.read('vitals_series_overflow_total', { metric: 'rate_limit_rejected_total' }) as number) > 0, 'they are under the cap')
})

t.test('takes a function of the application that answers later for one that says nothing, and says so', async t => {
  const { lines, logger } = logOf()
  const { app } = await start(t, async app => {
    await app.register(rateLimit, { max: 3 })
    app.get('/', async () => 'fine')
  }, {
    fastify: { logger },
    vitals: {
      limiter: {
        authenticated: (async () => { throw new Error('a secret') }) as never,
        labels: { names: ['priority'], values: (async () => { throw new Error('a secret') }) as never }
      }
    }
  })
  for (let i = 0; i < 2; i++) t.equal((await app.inject('/')).statusCode, 200)
  t.equal(app.vitals.read('rate_limit_requests_total', { endpoint: '/', authenticated: 'false', algorithm: 'fixed-window' }), 2)
  t.equal(app.vitals.read('rate_limit_allowed_total', { endpoint: '/', group: '', priority: '' }), 2)
  for (const name of ['authenticated', 'labels.values']) t.equal(lines.filter(line => line.includes(`limiter.${name}() must answer at once and not throw, got: a promise`)).length, 1, name)
  t.notMatch(lines.join(), 'a secret')
})

t.test('does not count checks on routes that are not counted', async t => {
  const { app } = await start(t, async app => {
    await app.register(rateLimit, { max: 3, allowList: ['10.0.0.1'], keyGenerator: request => request.headers['x-key'] === 'none' ? Promise.reject(new Error('no key')) : request.ip })
    app.get('/health', async () => 'fine')
    const check = app.createRateLimit()
    app.get('/metered', { config: { vitals: false, rateLimit: false } }, async request => await check(request))
  }, { vitals: { ignore: ['/health'] } })
  for (const remoteAddress of ['10.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.1']) {
    await app.inject({ url: '/health', remoteAddress })
    await app.inject({ url: '/metered', remoteAddress })
  }
  await app.inject({ url: '/health', headers: { 'x-key': 'none' } })
  await app.inject({ url: '/metered', headers: { 'x-key': 'none' } })
  t.equal((await readLedger(app)).checks, 0)
})

t.test('refuses options that are wrong, and says what it wants', async t => {
  const wrong: [unknown, RegExp][] = [
    [true, /Option limiter must be an object/],
    [{ whoever: 1 }, /Option limiter must be an object with no other keys than authenticated, labels/],
    [{ authenticated: true }, /Option limiter.authenticated must be a function of the request, got: true/],
    [{ labels: 'priority' }, /Option limiter.labels must be an object/],
    [{ labels: { names: [], values: () => ({}) } }, /Option limiter.labels.names must be an array of one or more label names/],
    [{ labels: { names: 'priority', values: () => ({}) } }, /Option limiter.labels.names must be an array/],
    [{ labels: { names: ['a b'], values: () => ({}) } }, /Option limiter.labels.names must be a label name/],
    [{ labels: { names: ['endpoint'], values: () => ({}) } }, /Option limiter.labels.names must be different names, other than endpoint, group, reason/],
    [{ labels: { names: ['a', 'a'], values: () => ({}) } }, /different names/],
    [{ labels: { names: ['a'] } }, /Option limiter.labels.values must be a function of the request/]
  ]
  for (const [limiter, message] of wrong) {
    await t.rejects(async () => await fastify().register(vitals, { endpoint: false, limiter } as VitalsOptions), { code: 'FSV_ERR_INVALID_OPTION', message })
  }
})
