import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { Test } from 'tap'
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
    const { startMs, timeMs } = of('/users/:id')[0]!
    t.ok(Math.round(startMs * 1e3) / 1e3 >= before && startMs <= timeMs, 'counts since its first request')
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

/** Stands before the receiver: refuses the first requests, and unpacks the others, which the receiver cannot. */
async function startGate (t: Test, refusals: { status: number, headers: Record<string, string> }[]): Promise<{ url: string, encodings: unknown[] }> {
  const encodings: unknown[] = []
  const server = createServer(async (request, response) => {
    const body = await buffer(request)
    encodings.push(request.headers['content-encoding'])
    const refusal = refusals.shift()
    if (refusal !== undefined) return response.writeHead(refusal.status, refusal.headers).end()
    const answer = await fetch(receiver.httpUrl + request.url, { method: 'POST', body: gunzipSync(body), headers: { 'content-type': request.headers['content-type']! } })
    return response.writeHead(answer.status).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, encodings }
}

for (const protocol of ['http/protobuf', 'http/json'] as const) {
  t.test(`compresses over ${protocol}, and tries once more what the receiver could not take: one push`, async t => {
    receiver.take()
    const { url, encodings } = await startGate(t, [{ status: 503, headers: {} }, { status: 429, headers: { 'retry-after': '1' } }])
    const { app } = await start(t, () => {}, { vitals: { otlp: { endpoint: url, protocol, compression: 'gzip', intervalMs: HOUR_MS } } })
    app.vitals.counter({ name: 'tasks_total', help: 'Tasks.' }).inc(3)
    await app.vitals.push()
    t.same(encodings, ['gzip', 'gzip', 'gzip'])
    t.equal(receiver.take().metrics.get('fastify-vitals tasks_total')!.points[0]!.value, 3)
    t.match(app.vitals.read('vitals_export_duration_seconds'), { count: 1 })
    t.equal(app.vitals.read('vitals_export_failures_total', { reason: 'unavailable' }), undefined, 'no failure')
  })
}
