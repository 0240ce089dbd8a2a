import fastify from 'fastify'
import t from 'tap'
import vitals from '../../lib/index.ts'

t.test('app.vitals.url is where to scrape, once the application listens', async t => {
  const app = fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  await app.register(vitals, { auth: false })
  t.equal(app.vitals.url, undefined)
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  t.equal(app.vitals.url, `${origin}/v1/metrics`)
  const answer = await fetch(app.vitals.url!)
  t.equal(answer.status, 200)
  t.match(await answer.text(), 'vitals_series')
})

t.test('app.vitals.url is not there without an endpoint', async t => {
  const app = fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  await app.register(vitals, { enabled: true, endpoint: false })
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.equal(app.vitals.url, undefined)
})

t.test('the prefix that the plugin is registered with is before the path', async t => {
  const app = fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  await app.register(vitals, { auth: false, prefix: '/internal' })
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  t.equal(app.vitals.url, `${origin}/internal/v1/metrics`)
  const answer = await fetch(app.vitals.url!)
  t.equal(answer.status, 200)
  await answer.text()
  t.equal(app.vitals.read('http_requests_total', { method: 'GET', endpoint: '/internal/v1/metrics', status: '200' }), 1)
})
