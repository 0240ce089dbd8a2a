import t from 'tap'
import { once } from 'node:events'
import fastify from 'fastify'
import vitals from '../../lib/index.ts'
import type { RouteConfig } from '../../lib/index.ts'
import { start } from '../support/start.ts'
import { send } from '../support/send.ts'
import { RawClient } from '../support/raw-client.ts'
import { expectOnly } from '../support/expect-only.ts'
import { parseSamples } from '../support/samples.ts'
import { gate } from '../support/gate.ts'

t.test('leaves out a route that opts out, whatever becomes of its requests', async t => {
  const entered = gate()
  const uncounted = { config: { vitals: false } as const }
  const { app, port } = await start(t, async app => {
    app.get('/quiet/:how', uncounted, request => {
      const { how } = request.params as { how: string }
      if (how === 'throw') throw new Error('thrown')
      if (how === 'wait') { entered.open(); return new Promise(() => {}) }
      return how
    })
    app.post('/quiet/body', { ...uncounted, schema: { body: { type: 'object', required: ['a'] } } }, () => 'never')
    app.get('/loud', () => 'loud')
    await app.register(async child => {
      child.addHook('onRoute', route => { route.config = { ...route.config, vitals: false } })
      child.get('/by-hook', () => 'quiet')
    })
  })
  for (const path of ['/quiet/1', '/quiet/throw', '/by-hook', '/loud']) await send({ port, path })
  await send({ port, path: '/quiet/1', method: 'HEAD' })
  await send({ port, path: '/quiet/body', method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' })
  await app.inject('/quiet/1')
  const connected = once(app.server, 'connection')
  const client = await RawClient.connect({ port })
  const [connection] = await connected
  client.write('GET /quiet/wait HTTP/1.1\r\nHost: x\r\n\r\n')
  await entered.promise
  const gone = once(connection, 'close').catch(() => {})
  await client.reset()
  await gone
  await expectOnly(t, app, [{ endpoint: '/loud', status: 200, responseBytes: 4 }])
})

t.test('counts a route under the endpoint label it asks for, together with others of the same', async t => {
  const { app, port } = await start(t, app => {
    app.get('/v1/users/:id', { config: { vitals: { endpoint: 'users' } } }, () => 'v1')
    app.get('/v2/users/:id', { config: { vitals: { endpoint: 'users' } } }, () => 'v2!')
    app.get('/odd', { config: { vitals: { endpoint: 'q"uo\\te\nline|é' } } }, () => 'odd')
    app.get('/plain', { config: { vitals: {} } }, () => 'plain')
  })
  for (const path of ['/v1/users/1', '/v2/users/2', '/odd', '/plain']) await send({ port, path })
  await send({ port, path: '/v1/users/1', method: 'HEAD' })
  await expectOnly(t, app, [
    { endpoint: 'users', status: 200, times: 2, responseBytes: 5 },
    { method: 'HEAD', endpoint: 'users', status: 200 },
    { endpoint: 'q"uo\\te\nline|é', status: 200, responseBytes: 3 },
    { endpoint: '/plain', status: 200, responseBytes: 5 }
  ])
})

t.test('ignores by the endpoint label that a route asks for', async t => {
  const { app, port } = await start(t, app => {
    app.get('/ready', { config: { vitals: { endpoint: 'probe' } } }, () => 'ready')
    app.get('/probe', { config: { vitals: { endpoint: 'named' } } }, () => 'probe')
  }, { vitals: { ignore: ['probe'] } })
  await send({ port, path: '/ready' })
  await send({ port, path: '/probe' })
  await expectOnly(t, app, [{ endpoint: 'named', status: 200, responseBytes: 5 }])
})

t.test('uses the buckets of the plugin, and those of a route where it has its own', async t => {
  const { app, port } = await start(t, app => {
    app.get('/own', { config: { vitals: { buckets: { duration: [60, 120], size: [3, 5, 7] } } } }, () => 'four')
    app.get('/duration', { config: { vitals: { buckets: { duration: [30] } } } }, () => 'four')
    app.get('/general', () => 'four')
  }, { vitals: { buckets: { duration: [600], size: [4, 4_000] } } })
  for (const path of ['/own', '/duration', '/general']) await send({ port, path })
  await expectOnly(t, app, ['/own', '/duration', '/general'].map(endpoint => ({ endpoint, status: 200, responseBytes: 4 })))
  const buckets = (name: string, labels: Record<string, string>): unknown => (app.vitals.read(name, labels) as { buckets: unknown }).buckets
  const durations = (endpoint: string): unknown => buckets('http_request_duration_seconds', { method: 'GET', endpoint, status: '200' })
  const sizes = (endpoint: string): unknown => buckets('http_response_size_bytes', { method: 'GET', endpoint })
  t.strictSame(durations('/own'), { 60: 1, 120: 1, '+Inf': 1 })
  t.strictSame(sizes('/own'), { 3: 0, 5: 1, 7: 1, '+Inf': 1 })
  t.strictSame(durations('/duration'), { 30: 1, '+Inf': 1 })
  t.strictSame(sizes('/duration'), { 4: 1, 4_000: 1, '+Inf': 1 })
  t.strictSame(durations('/general'), { 600: 1, '+Inf': 1 })
  const lines = parseSamples(await app.vitals.render()).filter(({ name, labels }) => name === 'http_response_size_bytes_bucket' && labels.endpoint === '/own')
  t.strictSame(lines.map(({ labels, value }) => [labels.le, value]), [['3', 0], ['5', 1], ['7', 1], ['+Inf', 1]])
})

t.test('has the buckets of the catalogue unless told otherwise', async t => {
  const { app, port } = await start(t, app => { app.get('/a', () => 'x'.repeat(600)) })
  await send({ port, path: '/a' })
  await expectOnly(t, app, [{ endpoint: '/a', status: 200, responseBytes: 600 }])
  const { buckets } = app.vitals.read('http_response_size_bytes', { method: 'GET', endpoint: '/a' }) as { buckets: Record<string, number> }
  t.strictSame(buckets, { 100: 0, 500: 0, 1000: 1, 5000: 1, 10000: 1, 50000: 1, 100000: 1, 1000000: 1, '+Inf': 1 })
  const durations = app.vitals.read('http_request_duration_seconds', { method: 'GET', endpoint: '/a', status: '200' }) as { buckets: Record<string, number> }
  t.strictSame(Object.keys(durations.buckets).sort(), ['+Inf', '0.001', '0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '10', '2.5', '5'])
})

t.test('puts the labels of a route on all its series, and on no other', async t => {
  const { app, port } = await start(t, app => {
    app.get('/team', { config: { vitals: { labels: { team: 'blue', tier: '1' } } } }, () => 'four')
    app.get('/throws', { config: { vitals: { labels: { team: 'red' } } } }, () => { throw new Error('thrown') })
    app.get('/plain', () => 'four')
  })
  for (const path of ['/team', '/throws', '/plain']) await send({ port, path })
  const samples = parseSamples(await app.vitals.render()).filter(({ name }) => name.startsWith('http_'))
  const labelsOf = (path: string): unknown => [...new Set(samples.filter(({ labels }) => labels.endpoint === path).map(({ labels: { team, tier } }) => `${team} ${tier}`))]
  t.strictSame(labelsOf('/team'), ['blue 1'])
  t.strictSame(labelsOf('/throws'), ['red undefined'])
  t.strictSame(labelsOf('/plain'), ['undefined undefined'])
  t.equal(app.vitals.read('http_requests_total', { method: 'GET', endpoint: '/team', status: '200', team: 'blue', tier: '1' }), 1)
  t.equal(app.vitals.read('http_request_failures_total', { method: 'GET', endpoint: '/throws', reason: 'handler_error', team: 'red' }), 1)
  t.equal(app.vitals.read('http_requests_in_progress', { method: 'GET', endpoint: '/throws', team: 'red' }), 0)
})

t.test('renames the labels of the HTTP set', async t => {
  const { app, port } = await start(t, app => {
    app.get('/a', () => 'four')
    app.get('/throws', () => { throw new Error('thrown') })
  }, { vitals: { labels: { method: 'verb', endpoint: 'route', status: 'status_code', reason: 'why' } } })
  await send({ port, path: '/a' })
  await send({ port, path: '/throws' })
  const samples = parseSamples(await app.vitals.render()).filter(({ name }) => name.startsWith('http_'))
  t.notOk(samples.some(({ labels }) => 'method' in labels || 'endpoint' in labels || 'status' in labels || 'reason' in labels))
  t.equal(app.vitals.read('http_requests_total', { verb: 'GET', route: '/a', status_code: '200' }), 1)
  t.equal(app.vitals.read('http_request_failures_total', { verb: 'GET', route: '/throws', why: 'handler_error' }), 1)
  t.equal(app.vitals.read('http_requests_in_progress', { verb: 'GET', route: '/a' }), 0)
})

t.test('puts the constant labels on every series', async t => {
  const { app, port } = await start(t, app => { app.get('/a', () => 'four') }, { vitals: { constantLabels: { region: 'eu "1"' } } })
  await send({ port, path: '/a' })
  await expectOnly(t, app, [{ endpoint: '/a', status: 200, responseBytes: 4 }])
  for (const { name, labels } of parseSamples(await app.vitals.render())) t.equal(labels.region, 'eu "1"', name)
})

t.test('refuses a route configuration that is wrong when the route is declared', async t => {
  const wrong: Record<string, unknown> = {
    'a number': 1,
    'an unknown option': { endpoints: 'x' },
    'an empty endpoint': { endpoint: '' },
    'buckets out of order': { buckets: { duration: [2, 1] } },
    'a bucket that is no number': { buckets: { size: ['1'] } },
    'a label that is taken': { labels: { status: 'x' } },
    'a label with a bad name': { labels: { 'bad-name': 'x' } },
    'a label that is no text': { labels: { team: 1 } }
  }
  for (const [what, config] of Object.entries(wrong)) {
    const app = fastify()
    t.teardown(() => app.close())
    await app.register(vitals, { enabled: true, endpoint: false })
    t.throws(() => app.get('/a', { config: { vitals: config as RouteConfig } }, () => 'a'), { code: 'FSV_ERR_INVALID_ROUTE_CONFIG' }, what)
  }
})
