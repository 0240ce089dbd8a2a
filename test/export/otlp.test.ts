import t from 'tap'
import { start } from '../support/start.ts'
import { startReceiver } from '../support/otlp-receiver.ts'
import type { OtlpOptions } from '../../lib/index.ts'

const receiver = await startReceiver(t)

/** Long enough that only what the test asks for is pushed. */
const HOUR_MS = 3_600_000

for (const protocol of ['http/protobuf', 'http/json', 'grpc'] as const) {
  t.test(`pushes requests over ${protocol}, named by the semantic conventions`, async t => {
    receiver.take()
    receiver.requests.length = 0
    const otlp: OtlpOptions = {
      endpoint: protocol === 'grpc' ? receiver.grpcUrl : receiver.httpUrl,
      protocol,
      headers: { authorization: 'Bearer of-secrets' },
      intervalMs: HOUR_MS,
      resource: { 'service.name': 'shop', 'deployment.environment.name': 'test' },
      ...(protocol === 'grpc' && { compression: 'gzip' as const })
    }
    const before = Date.now()
    const { app, port } = await start(t, app => {
      app.get('/users/:id', () => 'hello')
      app.get('/broken', () => { throw new Error('out of order') })
      app.get('/refused', (_request, reply) => reply.code(503).send('later'))
    }, { vitals: { otlp, constantLabels: { region: 'north' } } })
    const ask = async (path: string) => await (await fetch(`http://127.0.0.1:${port}${path}`)).text()
    for (let i = 0; i < 3; i++) await ask(`/users/${i}`)
    await ask('/broken')
    await ask('/refused')
    await app.close()

    const { metrics, resource } = receiver.take()
    t.match(resource, { 'service.name': 'shop', 'deployment.environment.name': 'test', 'host.name': String, 'service.instance.id': String, 'process.pid': Number, 'telemetry.sdk.language': 'nodejs' })
    t.notOk(Object.keys(resource).some(key => key.startsWith('process.command_')), 'no command line')
    const duration = metrics.get('fastify-vitals http.server.request.duration')!
    t.match(duration, { unit: 's', kind: 'histogram', temporality: 'cumulative', scope: { name: 'fastify-vitals' } })
    const of = (route: string) => duration.points.filter(point => point.attributes['http.route'] === route)
    t.same(of('/users/:id').map(point => point.attributes), [{ region: 'north', 'http.request.method': 'GET', 'http.route': '/users/:id', 'http.response.status_code': 200, 'url.scheme': 'http' }])
    t.equal(of('/users/:id')[0]!.count, 3)
    t.equal(of('/users/:id')[0]!.bucketCounts!.reduce((sum, count) => sum + count), 3)
    t.same(of('/users/:id')[0]!.bounds, [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])
    t.ok(of('/users/:id')[0]!.startMs >= before && of('/users/:id')[0]!.startMs <= of('/users/:id')[0]!.timeMs, 'counts since its first request')
    t.same(of('/broken').map(({ attributes, count }) => [attributes['error.type'], attributes['http.response.status_code'], count]), [['handler_error', 500, 1]])
    t.same(of('/refused').map(({ attributes, count }) => [attributes['error.type'], attributes['http.response.status_code'], count]), [['503', 503, 1]])
    const active = metrics.get('fastify-vitals http.server.active_requests')!
    t.match(active, { kind: 'sum', isMonotonic: false, unit: '{request}' })
    t.ok(active.points.every(({ isInt, value }) => isInt === true && value === 0))
    t.same(metrics.get('fastify-vitals http.server.response.body.size')!.unit, 'By')
    t.notOk(metrics.has('fastify-vitals http_requests_total') || metrics.has('fastify-vitals http_request_failures_total'), 'not what the duration says already')
    t.equal(receiver.requests.length >= 1, true)
    t.ok(receiver.requests.every(({ headers }) => headers['authorization'] === 'Bearer of-secrets'))
  })
}
