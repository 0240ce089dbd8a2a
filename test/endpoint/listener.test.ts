import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import Fastify from 'fastify'
import t from 'tap'
import { registerEndpoint } from '../../lib/endpoint/endpoint.ts'
import type { Endpoint } from '../../lib/endpoint/endpoint.ts'
import { VitalsError } from '../../lib/errors.ts'
import { bearer, logOf, open, scrapeText, settings, sourceOf, statusOf } from './support.ts'

const own = { port: 0, host: '127.0.0.1' }

t.test('a port of its own serves the metrics and nothing else, from ready to close', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const endpoint = await registerEndpoint(app, settings({ listen: own }))
  app.get('/', async () => 'application')
  t.equal(endpoint.url(), undefined, 'not listening yet')
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  const url = endpoint.url()!
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+\/v1\/metrics$/)
  t.not(new URL(url).origin, origin)
  t.equal(await statusOf(url, bearer), 200)
  t.equal(await statusOf(url), 401)
  t.equal(await statusOf(url.replace('/v1/metrics', '/'), bearer), 404)
  t.equal(await statusOf(`${origin}/v1/metrics`, bearer), 404)
  t.equal(await statusOf(origin), 200)
  await app.close()
  await t.rejects(statusOf(url, bearer), { code: 'ECONNREFUSED' })
})

t.test('a worker that never listens can be scraped once it is ready', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const endpoint = await registerEndpoint(app, settings({ listen: { port: 0, host: '::1' } }))
  await app.ready()
  const url = endpoint.url()!
  t.match(url, /^http:\/\/\[::1\]:\d+\/v1\/metrics$/)
  t.equal(await statusOf(url, bearer), 200)
})

t.test('an address that cannot be had fails the start and says which and why', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const app = Fastify()
  t.teardown(() => app.close())
  await registerEndpoint(app, settings({ listen: { port, host: '127.0.0.1' } }))
  const error = await app.listen({ port: 0, host: '127.0.0.1' }).then(() => undefined, (reason) => reason)
  t.type(error, VitalsError)
  t.equal(error.code, 'FSV_ERR_LISTEN')
  t.match(error.message, `got 127.0.0.1:${port}: listen EADDRINUSE`)
  t.equal(error.cause.code, 'EADDRINUSE')

  const elsewhere = Fastify()
  t.teardown(() => elsewhere.close())
  await registerEndpoint(elsewhere, settings({ listen: { port: 0, host: '192.0.2.1' } }))
  await t.rejects(async () => { await elsewhere.ready() }, { code: 'FSV_ERR_LISTEN', message: /192\.0\.2\.1:0.*EADDRNOTAVAIL/ })
})

t.test('an application that does not start leaves no port open, and what it threw is what its user gets', async (t) => {
  for (const thrown of [new Error('no database'), 'no database']) {
    for (const isNested of [false, true]) {
      const { lines, logger } = logOf('info')
      const app = Fastify({ logger })
      t.teardown(() => app.close())
      const endpoints: Endpoint[] = []
      const register = async (context: typeof app): Promise<void> => { endpoints.push(await registerEndpoint(context, settings({ listen: own }))) }
      if (isNested) await app.register(async (child) => await register(child as typeof app))
      else await register(app)
      let url = ''
      const failed = (context: typeof app): unknown => context.addHook('onReady', async () => {
        url = endpoints[0]!.url()!
        t.equal(await statusOf(url, bearer), 200)
        throw thrown
      })
      if (isNested) await app.register(async (child) => { failed(child as typeof app) })
      else failed(app)
      const [reason] = await Promise.allSettled([app.listen({ port: 0, host: '127.0.0.1' })])
      t.equal((reason as PromiseRejectedResult).reason, thrown)
      while (await statusOf(url, bearer).then(() => true, () => false)) await setImmediate()
      t.match(lines.join(''), 'fastify-vitals: the application did not start, so its metrics are not served: ')
      t.match(lines.join(''), 'no database')
      t.equal(app.server.listening, false)
    }
  }
})

t.test('writes to the application\'s log', async (t) => {
  const { lines, logger } = logOf('info')
  const app = Fastify({ logger })
  t.teardown(() => app.close())
  const endpoint = await registerEndpoint(app, settings({ listen: own }))
  await app.ready()
  await statusOf(endpoint.url()!, bearer)
  t.match(lines.join(''), `Server listening at ${new URL(endpoint.url()!).origin}`)
})

t.test('closing with a scraper that does not read takes its connection too', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const exposition = sourceOf(function * () { for (;;) yield Buffer.alloc(65_536, 'requests_total 1\n') })
  const endpoint = await registerEndpoint(app, settings({ listen: own, exposition }))
  await app.ready()
  const socket = await open(t, endpoint.url()!)
  socket.pause().write(scrapeText({ ...bearer, 'x-prometheus-scrape-timeout-seconds': '100' }))
  await exposition.until(({ chunks }) => chunks > 0)
  await app.close()
  await exposition.until(({ stopped }) => stopped === 1)
  t.equal(exposition.started, 1)
})

t.test('the url knows the prefix of the context and the protocol of the server', async (t) => {
  const app = Fastify({ https: {} })
  t.teardown(() => app.close())
  const urls: (() => string | undefined)[] = []
  await app.register(async (child) => {
    const { url } = await registerEndpoint(child as never, settings())
    urls.push(url)
  }, { prefix: '/internal' })
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  t.equal(urls[0]!(), `${origin}/internal/v1/metrics`)
  t.equal((await app.inject({ url: '/internal/v1/metrics', headers: bearer })).statusCode, 200)
})

t.test('a Unix socket has no url', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const endpoint = await registerEndpoint(app, settings())
  await app.listen({ path: join(t.testdir(), 'socket') })
  t.equal(endpoint.url(), undefined)
  t.equal((await app.inject({ url: '/v1/metrics', headers: bearer })).statusCode, 200)
})
