import { once } from 'node:events'
import http from 'node:http'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { context, trace, TraceFlags } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import t from 'tap'
import type { OtlpOptions } from '../../../lib/index.ts'
import { createRegistry } from '../../../lib/index.ts'
import { startReceiver } from '../../support/otlp-receiver.ts'
import type { ReceivedMetric } from '../../support/otlp-receiver.ts'
import { openStore } from '../../support/store.ts'
import { expectOutbound, startOutbound } from './support/books.ts'
import { startTarget } from './support/target.ts'

const receiver = await startReceiver(t)
const target = await startTarget(t)
const { url, host, port } = target

/** Long enough that only what the test asks for is pushed. */
const HOUR_MS = 3_600_000

const get = async (path: string): Promise<string> => {
  const [response] = await once(http.get(`${url}${path}`), 'response') as [IncomingMessage]
  return await text(response)
}

const points = ({ points }: ReceivedMetric) => points.map(({ attributes, count, value }) => ({ ...attributes, n: count ?? value }))

for (const protocol of ['http/protobuf', 'http/json', 'grpc'] as const) {
  t.test(`pushes by ${protocol} under the names of the semantic conventions, and does not count its pushes`, async t => {
    receiver.take()
    const otlp: OtlpOptions = { endpoint: protocol === 'grpc' ? receiver.grpcUrl : receiver.httpUrl, protocol, intervalMs: HOUR_MS }
    const app = await startOutbound(t, { otlp })
    await app.vitals.push()
    await get('/ok')
    await (await fetch(`${url}/status/404`, { method: 'POST' })).text()
    await t.rejects(fetch(`${url}/hangup`))
    await t.rejects(get('/dies'))
    await t.rejects(fetch('https://nowhere.invalid/'))
    await expectOutbound(t, app, { [`GET ${host} 200`]: 2, [`POST ${host} 404`]: 1, [`GET ${host} error`]: 1, 'GET nowhere.invalid error': 1 })
    receiver.take()
    await app.vitals.push()
    const { metrics } = receiver.take()
    const duration = metrics.get('fastify-vitals http.client.request.duration')!
    t.match(duration, { unit: 's', kind: 'histogram' })
    const server = { 'server.address': '127.0.0.1', 'server.port': port, 'url.scheme': 'http', 'http.request.method': 'GET' }
    const nowhere = { ...server, 'server.address': 'nowhere.invalid', 'server.port': 443, 'url.scheme': 'https' }
    t.strictSame(new Set(points(duration).map(point => JSON.stringify(Object.entries(point).sort()))), new Set([
      { ...server, 'http.response.status_code': 200, n: 1 },
      { ...server, 'http.response.status_code': 200, 'error.type': 'ECONNRESET', n: 1 },
      { ...server, 'http.request.method': 'POST', 'http.response.status_code': 404, 'error.type': '404', n: 1 },
      { ...server, 'error.type': 'UND_ERR_SOCKET', n: 1 },
      { ...nowhere, 'error.type': 'ENOTFOUND', n: 1 }
    ].map(point => JSON.stringify(Object.entries(point).sort()))))
    const active = metrics.get('fastify-vitals http.client.active_requests')!
    t.match(active, { kind: 'sum', isMonotonic: false, unit: '{request}' })
    t.strictSame(points(active).map(point => point.n), [0, 0])
    t.notOk(metrics.has('fastify-vitals http_client_requests_total'))
    await app.close()
  })
}

t.test('does not count the pushes of other applications either', async t => {
  const app = await startOutbound(t)
  const pushing = await startOutbound(t, { outbound: false, otlp: { endpoint: receiver.httpUrl, protocol: 'http/protobuf', intervalMs: HOUR_MS } })
  await pushing.vitals.push()
  await pushing.close()
  await expectOutbound(t, app, {})
})

t.test('keeps errors apart as soon as one of the applications of a store wants them', async t => {
  receiver.take()
  const registry = createRegistry()
  const app = await startOutbound(t, { registry })
  await t.rejects(get('/hangup'))
  const pushing = await startOutbound(t, { registry, otlp: { endpoint: receiver.httpUrl, protocol: 'http/json', intervalMs: HOUR_MS } })
  await t.rejects(get('/hangup'))
  await expectOutbound(t, app, { [`GET ${host} error`]: 2 })
  await pushing.vitals.push()
  const duration = receiver.take().metrics.get('fastify-vitals http.client.request.duration')!
  t.strictSame(points(duration).map(point => [(point as Record<string, unknown>)['error.type'], point.n]).sort(), [['ECONNRESET', 1], [undefined, 1]].sort())
})

t.test('leaves out the port and scheme of a host that is asked by both, and beyond the limit', async t => {
  const app = await startOutbound(t, { naming: 'semconv', limits: { seriesPerMetric: 2, series: 100 } })
  await t.rejects(fetch('http://both.invalid/'))
  await t.rejects(fetch('https://both.invalid/'))
  await t.rejects(fetch(`https://[::1]:${port}/`))
  await t.rejects(fetch('https://third.invalid/'))
  const text = await app.vitals.render()
  t.match(text, /http_client_request_duration_seconds_count\{(?=[^}]*server_address="both\.invalid")(?![^}]*(?:server_port|url_scheme))[^}]*\} 2/)
  t.match(text, new RegExp(`http_client_request_duration_seconds_count\\{(?=[^}]*server_address="::1")(?=[^}]*server_port="${port}")(?=[^}]*url_scheme="https")[^}]*\\} 1`))
  t.match(text, /http_client_request_duration_seconds_count\{[^}]*otel_metric_overflow="true"[^}]*\} 1/)
})

t.test('looks up more hosts than it keeps, and loses none that is under way', async t => {
  const app = await startOutbound(t)
  const silent = http.get(`${url}/silent`)
  await once(target.arrivals, '/silent')
  const lookup = (_host: string, _options: unknown, done: (error: Error) => void): void => { process.nextTick(done, Object.assign(new Error('none'), { code: 'ENOTFOUND' })) }
  const failing = (i: number) => new Promise(resolve => { http.get(`http://host-${i}.invalid/`, { lookup } as http.RequestOptions).on('error', resolve) })
  for (let i = 0; i < 1_010; i++) await failing(i)
  silent.on('error', () => {}).destroy()
  await new Promise(resolve => silent.once('close', resolve))
  await expectOutbound(t, app, Object.fromEntries([[`GET ${host} error`, 1], ...Array.from({ length: 1_010 }, (_, i) => [`GET host-${i}.invalid error`, 1])]))
})

t.test('gives exemplars the trace of the request\'s maker, not of the connection', async t => {
  const manager = new AsyncLocalStorageContextManager().enable()
  context.setGlobalContextManager(manager)
  t.teardown(() => { context.disable() })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const { scrape } = await openStore(t, { outbound: true, exemplars: true })
  const traceIds = ['a'.repeat(32), 'b'.repeat(32)]
  for (const [i, traceId] of traceIds.entries()) {
    const span = trace.wrapSpanContext({ traceId, spanId: 'c'.repeat(16), traceFlags: TraceFlags.SAMPLED })
    await context.with(trace.setSpan(context.active(), span), async () => {
      const [response] = await once(http.get(`${url}/status/${200 + i}`, { agent }), 'response') as [IncomingMessage]
      await text(response)
    })
  }
  const family = (await scrape('openmetrics')).get('http_client_request_duration_seconds')!
  const samples = family.samples.filter(({ exemplar }) => exemplar !== undefined)
  t.strictSame(samples.map(({ labels, exemplar }) => [labels['status'], exemplar!.labels['trace_id']]), [['200', traceIds[0]], ['201', traceIds[1]]])
})

t.test('names an error that has neither code nor name', async t => {
  receiver.take()
  const app = await startOutbound(t, { otlp: { endpoint: receiver.httpUrl, protocol: 'http/json', intervalMs: HOUR_MS } })
  const reasons = ['because', Object.assign(new Error('a'), { code: 'user@example.com' }), Object.assign(new Error('b'), { name: 'user 42' }), new DOMException('c', 'AbortError')]
  for (const reason of reasons) {
    const abort = new AbortController()
    const asked = t.rejects(fetch(`${url}/silent`, { signal: abort.signal }))
    await once(target.arrivals, '/silent')
    abort.abort(reason)
    await asked
  }
  await app.vitals.push()
  const duration = receiver.take().metrics.get('fastify-vitals http.client.request.duration')!
  t.strictSame(Object.fromEntries(points(duration).map(point => [(point as Record<string, unknown>)['error.type'], point.n])), { other: 2, Error: 1, AbortError: 1 })
})
