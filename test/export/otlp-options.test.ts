import { metrics } from '@opentelemetry/api'
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import vitals, { createRegistry } from '../../lib/index.ts'
import type { VitalsOptions } from '../../lib/index.ts'
import { loadPackage } from '../../lib/export/load-package.ts'
import { resolveOtlp, isSdkDisabled } from '../../lib/resolve-otlp.ts'
import { startLine } from '../../lib/start-line.ts'
import { resolveOptions } from '../../lib/resolve-options.ts'
import { startReceiver } from '../support/otlp-receiver.ts'

t.test('options win over the environment, the environment over the defaults', async t => {
  t.match(resolveOtlp(undefined, {}), { targets: [], url: 'http://localhost:4318/v1/metrics', protocol: 'http/protobuf', headers: {}, timeoutMs: 10_000, compression: 'none', intervalMs: 10_000, isDelta: false, closeTimeoutMs: 5_000 })
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/base/',
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20a, x-tenant=1',
    OTEL_EXPORTER_OTLP_METRICS_HEADERS: 'x-tenant=2',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_TIMEOUT: '3000',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    OTEL_METRIC_EXPORT_INTERVAL: '60000',
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'LowMemory',
    OTEL_RESOURCE_ATTRIBUTES: 'service.namespace=shops',
    OTEL_EXPORTER_OTLP_CERTIFICATE: '/ca.pem',
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: '/cert.pem',
    OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY: '/key.pem'
  }
  t.match(resolveOtlp(undefined, environment), {
    targets: ['otlp'],
    url: 'http://collector:4318/base/v1/metrics',
    protocol: 'http/json',
    headers: { authorization: 'Bearer a', 'x-tenant': '2' },
    timeoutMs: 3_000,
    compression: 'gzip',
    intervalMs: 60_000,
    isDelta: true,
    tls: { ca: '/ca.pem', cert: '/cert.pem', key: '/key.pem' }
  })
  const options = { endpoint: 'https://other/v1/metrics', protocol: 'http/protobuf', headers: { a: 'b' }, timeoutMs: 90_000, compression: 'none', intervalMs: 2_000, temporality: 'cumulative', resource: { 'service.name': 'x' }, closeTimeoutMs: 1 } as const
  t.match(resolveOtlp(options, environment), { targets: ['otlp'], url: 'https://other/v1/metrics', protocol: 'http/protobuf', headers: { a: 'b' }, timeoutMs: 2_000, compression: 'none', intervalMs: 2_000, isDelta: false, resource: { 'service.name': 'x' }, closeTimeoutMs: 1 })
  t.equal(resolveOtlp(undefined, { ...environment, METRICS_EXPORT_INTERVAL: '5000' }).intervalMs, 5_000)
  t.equal(resolveOtlp(undefined, { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://as-it-is:1/x' }).url, 'http://as-it-is:1/x')
  t.equal(resolveOtlp({ protocol: 'grpc' }, {}).url, 'http://localhost:4317/')
  t.equal(resolveOtlp({ protocol: 'grpc', endpoint: 'collector:4317' }, {}).url, 'http://collector:4317/')
})

t.test('what is pushed where follows the options, the exporters named, and the endpoint', async t => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:1' }
  const targets = (given: unknown, environment: Record<string, string>) => resolveOtlp(given, environment).targets
  t.same(targets(true, {}), ['otlp'])
  t.same(targets({}, { OTEL_METRICS_EXPORTER: 'none' }), ['otlp'])
  t.same(targets(false, endpoint), [])
  t.same(targets(undefined, { ...endpoint, OTEL_METRICS_EXPORTER: 'none' }), [])
  t.same(targets(undefined, { OTEL_METRICS_EXPORTER: 'otlp, console,otlp' }), ['otlp', 'console'])
  t.same(targets(undefined, { ...endpoint, OTEL_METRICS_EXPORTER: 'prometheus' }), [])
  t.same(targets(true, { OTEL_SDK_DISABLED: 'true' }), [])
  t.same(targets(undefined, { ...endpoint, OTEL_METRICS_EXPORTER: ' ' }), ['otlp'], 'an empty variable is none')
  t.equal(isSdkDisabled({ OTEL_SDK_DISABLED: 'FALSE' }), false)
  t.equal(resolveOptions({ auth: false }, { OTEL_SDK_DISABLED: 'true' }).meters, false)
})

t.test('a wrong value is an error that names the option or variable, what it expects and what it got', async t => {
  const wrong: [unknown, Record<string, string>, RegExp][] = [
    [{ endpoint: 'collector:4318' }, {}, /^Option otlp.endpoint must be a URL that begins with http:\/\/ or https:\/\//],
    [{ endpoint: 7 }, {}, /^Option otlp.endpoint must be a string/],
    [{ endpoint: 'not a url' }, {}, /otlp.endpoint must be a URL/],
    [{ protocol: 'udp' }, {}, /^Option otlp.protocol must be one of http\/protobuf, http\/json, grpc, got: "udp"/],
    [{ headers: { a: 1 } }, {}, /otlp.headers.a must be a string/],
    [{ timeoutMs: 0 }, {}, /otlp.timeoutMs must be a whole number from 1/],
    [{ intervalMs: 1.5 }, {}, /otlp.intervalMs must be a whole number/],
    [{ closeTimeoutMs: -1 }, {}, /otlp.closeTimeoutMs must be/],
    [{ compression: 'zip' }, {}, /otlp.compression must be one of none, gzip/],
    [{ temporality: 'lowmemory' }, {}, /otlp.temporality must be one of cumulative, delta/],
    [{ resource: [] }, {}, /otlp.resource must be an object of attributes/],
    [{ resource: { a: {} } }, {}, /otlp.resource.a must be a string, number or boolean/],
    [{ url: 'x' }, {}, /otlp must be an object with no other keys/],
    ['http://x', {}, /Option otlp must be an object/],
    [undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: 'user:secret@host' }, /^Environment variable OTEL_EXPORTER_OTLP_ENDPOINT must be a URL/],
    [undefined, { OTEL_METRICS_EXPORTER: 'statsd' }, /OTEL_METRICS_EXPORTER must be one of otlp, console, prometheus, none, got: "statsd"/],
    [undefined, { OTEL_METRICS_EXPORTER: 'none,otlp' }, /OTEL_METRICS_EXPORTER must be none alone/],
    [undefined, { METRICS_EXPORT_INTERVAL: '10s' }, /METRICS_EXPORT_INTERVAL must be a whole number from 1 to 86400000, got: "10s"/],
    [undefined, { OTEL_METRIC_EXPORT_INTERVAL: '0' }, /OTEL_METRIC_EXPORT_INTERVAL must be a whole number/],
    [undefined, { OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: 'long' }, /OTEL_EXPORTER_OTLP_METRICS_TIMEOUT must be/],
    [undefined, { OTEL_EXPORTER_OTLP_PROTOCOL: 'thrift' }, /OTEL_EXPORTER_OTLP_PROTOCOL must be one of/],
    [undefined, { OTEL_EXPORTER_OTLP_METRICS_COMPRESSION: 'br' }, /OTEL_EXPORTER_OTLP_METRICS_COMPRESSION must be one of/],
    [undefined, { OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'x' }, /TEMPORALITY_PREFERENCE must be one of/],
    [undefined, { OTEL_EXPORTER_OTLP_HEADERS: 'secret-token' }, /OTEL_EXPORTER_OTLP_HEADERS must be a list of key=value pairs/],
    [undefined, { OTEL_EXPORTER_OTLP_HEADERS: 'a=%zz' }, /OTEL_EXPORTER_OTLP_HEADERS must be a list/],
    [undefined, { OTEL_RESOURCE_ATTRIBUTES: '=x' }, /OTEL_RESOURCE_ATTRIBUTES must be a list/],
    [undefined, { OTEL_SDK_DISABLED: 'maybe' }, /OTEL_SDK_DISABLED must be true or false, got: "maybe"/]
  ]
  for (const [given, environment, message] of wrong) {
    t.throws(() => resolveOtlp(given, environment), { code: 'FSV_ERR_INVALID_OPTION', message })
    try { resolveOtlp(given, environment) } catch (error) { t.notMatch((error as Error).message, /secret/) }
  }
  for (const [options, message] of [[{ meters: 'yes' }, /meters must be true, false, or a bridge/], [{ naming: 'otel' }, /naming must be one of prometheus, semconv/], [{ scopeLabels: null }, /scopeLabels must be true or false, got: null/], [{ totalSuffix: 'no' }, /totalSuffix must be true or false, got: "no"/], [{ exemplars: 1 }, /exemplars must be true or false/]] as const) {
    t.throws(() => resolveOptions({ auth: false, ...options } as never, {}), { code: 'FSV_ERR_INVALID_OPTION', message })
  }
})

async function infoLines (t: Test, options: VitalsOptions): Promise<string[]> {
  const lines: string[] = []
  const app = fastify({ logger: { level: 'info', stream: { write: (line: string) => { lines.push((JSON.parse(line) as { msg: string }).msg) } } } })
  t.teardown(() => app.close())
  await app.register(vitals, options)
  await app.ready()
  return lines.filter(line => line.startsWith('fastify-vitals:'))
}

t.test('one line at the start says what is on, without a secret', async t => {
  const lines = await infoLines(t, { auth: { bearer: 'of-secrets' }, otlp: { endpoint: 'http://user:of-secrets@127.0.0.1:1/base?key=of-secrets', headers: { authorization: 'of-secrets' }, closeTimeoutMs: 50 }, naming: 'semconv', exemplars: true })
  t.same(lines, ['fastify-vitals: metrics at /v1/metrics (bearer); pushed to http://127.0.0.1:1/base/v1/metrics as http/protobuf every 10000 ms; naming semconv; at most 10000 series, 2000 for each metric; OpenTelemetry meters joined; exemplars'])
  const line = (options: VitalsOptions, environment = {}) => startLine(resolveOptions(options, environment))
  t.equal(line({ endpoint: false, meters: false }), 'no endpoint; no push; naming prometheus; at most 10000 series, 2000 for each metric')
  t.match(line({ auth: false, listen: { port: 9464 } }, { OTEL_METRICS_EXPORTER: 'console', OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta' }), /^metrics at 127.0.0.1:9464\/v1\/metrics \(open to everybody\); pushed to the console every 10000 ms as deltas;/)
  const registry = { contentType: '', getMetricsAsArray: () => [], getMetricsAsJSON: async () => [] }
  t.match(line({ auth: { basic: { username: 'a', password: 'of-secrets' }, allow: '10.0.0.0/8', custom: () => true }, registries: [registry] }), /\(basic, custom, allowed addresses\).*; 1 prom-client registry joined;/)
  t.match(line({ auth: false, registries: [registry, registry] }), /2 prom-client registries joined/)
  t.match(line({ auth: false, scopeLabels: false }), /; naming prometheus without scope labels; at most/)
  t.match(line({ auth: false, naming: 'semconv', scopeLabels: false, totalSuffix: false }), /; naming semconv without scope labels without added _total; at most/)
})

t.test('a missing exporter package is an error that says how to get it', async t => {
  await t.rejects(loadPackage('@opentelemetry/exporter-that-is-not-there', 'Pushing'), { code: 'FSV_ERR_MISSING_PACKAGE', message: /Pushing needs the package @opentelemetry\/exporter-that-is-not-there, which could not be loaded: npm install/ })
})

t.test('applications that share a store are pushed once, until the last of them closes', async t => {
  const receiver = await startReceiver(t)
  const registry = createRegistry()
  const otlp = { endpoint: receiver.httpUrl, intervalMs: 3_600_000 }
  const apps = [fastify(), fastify()]
  for (const app of apps) {
    t.teardown(() => app.close())
    await app.register(vitals, { endpoint: false, registry, otlp, meters: false })
    app.get('/', () => 'hello')
    await app.ready()
    await app.inject('/')
  }
  await apps[0]!.close()
  const count = () => receiver.take().metrics.get('fastify-vitals http.server.request.duration')!.points.map(point => point.count)
  t.same(count(), [2])
  await apps[1]!.inject('/')
  await apps[1]!.close()
  t.same(count(), [3])
})

t.test('a pusher that cannot start leaves nothing behind', async t => {
  const registry = createRegistry()
  const environment = process.env['OTEL_EXPORTER_OTLP_CERTIFICATE']
  process.env['OTEL_EXPORTER_OTLP_CERTIFICATE'] = '/no/such/file.pem'
  t.teardown(() => {
    if (environment === undefined) delete process.env['OTEL_EXPORTER_OTLP_CERTIFICATE']
  })
  const app = fastify()
  t.teardown(() => app.close())
  await t.rejects(async () => { await app.register(vitals, { endpoint: false, registry, otlp: true }) }, { code: 'FSV_ERR_INVALID_OPTION', message: /OTEL_EXPORTER_OTLP_CERTIFICATE must be the path of a PEM file that can be read, got: ENOENT/ })
  delete process.env['OTEL_EXPORTER_OTLP_CERTIFICATE']
  const second = fastify()
  t.teardown(() => second.close())
  await second.register(vitals, { endpoint: false, registry, otlp: { endpoint: 'http://127.0.0.1:1', closeTimeoutMs: 50 } })
  await second.ready()
})

t.test('off is off: no push, no meters, the same interface', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(vitals, { enabled: false, otlp: true })
  await app.ready()
  await app.vitals.push()
  metrics.getMeter('shop').createCounter('orders').add(1)
  t.equal(await app.vitals.render(), '')
  t.ok((await app.vitals.promRegistry.getMetricsAsJSON()).every(({ values }) => values.length === 0))
})
