// Asks a server for something over and over: `node outbound-client.js <variant> <client> <port>`. Answers each message with its own CPU
// time and the time by the clock, in ms, for so many requests, so many at a time.
import http from 'node:http'
import { addFloor } from './outbound-floor.js'

const [variant, client, port] = process.argv.slice(2)
const url = `http://127.0.0.1:${port}/`
const connections = 8

if (variant === 'otel') {
  const [{ MeterProvider, AggregationTemporality, InMemoryMetricExporter, PeriodicExportingMetricReader }, { UndiciInstrumentation }, { HttpInstrumentation }] = await Promise.all([
    import('@opentelemetry/sdk-metrics'), import('@opentelemetry/instrumentation-undici'), import('@opentelemetry/instrumentation-http')
  ])
  const reader = new PeriodicExportingMetricReader({ exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE), exportIntervalMillis: 3_600_000, exportTimeoutMillis: 1_000 })
  const provider = new MeterProvider({ readers: [reader] })
  const instrumentation = client === 'http' ? new HttpInstrumentation() : new UndiciInstrumentation()
  instrumentation.setMeterProvider(provider)
  instrumentation.enable()
} else {
  // All others have the application and the plugin, so that nothing but the option differs.
  const [{ default: fastify }, { default: vitals }] = await Promise.all([import('fastify'), import('../dist/index.js')])
  const app = fastify()
  await app.register(vitals, { enabled: true, endpoint: false, outbound: variant === 'vitals' })
  await app.ready()
  if (variant === 'floor') addFloor()
}

const undici = await import('undici')
const { createRequire } = await import('node:module')
// Required, so that an instrumentation that works on `require` sees it.
const { get, Agent } = variant === 'otel' ? createRequire(import.meta.url)('node:http') : http
const agent = new Agent({ keepAlive: true, maxSockets: connections })
const dispatcher = new undici.Agent({ connections })
const clients = {
  async fetch () { await (await fetch(url)).text() },
  async undici () { await (await undici.request(url, { dispatcher })).body.text() },
  http: () => new Promise((resolve, reject) => {
    get(url, { agent }, (response) => response.resume().on('end', resolve)).on('error', reject)
  })
}
const ask = clients[client]

process.on('message', async ({ operations, concurrency }) => {
  const startedMs = performance.now()
  const before = process.cpuUsage()
  let left = operations
  await Promise.all(Array.from({ length: concurrency }, async () => { while (left-- > 0) await ask() }))
  const { user, system } = process.cpuUsage(before)
  process.send({ result: { cpuMs: (user + system) / 1_000, ms: performance.now() - startedMs } })
})
process.send({ result: 'ready' })
