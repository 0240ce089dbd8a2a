import { metrics } from '@opentelemetry/api'
import fastify from 'fastify'
import promClient from 'prom-client'
import vitals from '../../lib/index.ts'

// An application with a source that never answers (`registry`, one of prom-client, or `meters`, a callback of OpenTelemetry), in a process that has nothing else to do once
// that was asked. It says what it was told to wait for (`render`, `scrape` or `json`) once it is there, and at its end whether the reading of the source had run out of time.
const [source, waitsFor] = process.argv.slice(2)
const registry = new promClient.Registry()
const alive = setInterval(() => {}, 1_000)
const collect = (): Promise<void> => {
  clearInterval(alive)
  return new Promise(() => {})
}
if (source === 'registry') new promClient.Gauge({ name: 'depth', help: 'Depth.', registers: [registry], collect }).set(1)
let log = ''
const app = fastify({ logger: { level: 'warn', stream: { write (line: string) { log += line } } } })
await app.register(vitals, {
  enabled: true,
  endpoint: waitsFor === 'scrape',
  auth: false,
  meters: source === 'meters',
  registries: [registry as never],
  ...waitsFor === undefined && { otlp: { endpoint: 'http://127.0.0.1:1', intervalMs: 10 } }
})
await app.ready()
if (source === 'meters') metrics.getMeter('shop').createObservableGauge('depth').addCallback(collect)
process.once('exit', () => { process.stdout.write(`${log.includes(source === 'meters' ? 'could not be read in full' : 'took longer') ? 'ran out of time' : 'left'}\n`) })
if (waitsFor === 'render') process.stdout.write(`${(await app.vitals.render()).includes('vitals_') ? 'rendered' : 'empty'}\n`)
else if (waitsFor === 'scrape') process.stdout.write(`${(await app.inject('/v1/metrics')).statusCode}\n`)
else if (waitsFor === 'json') process.stdout.write(`${(await app.vitals.promRegistry.getMetricsAsJSON()).length > 0 ? 'listed' : 'empty'}\n`)
