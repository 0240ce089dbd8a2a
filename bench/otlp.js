// npm run build && node bench/otlp.js: collecting and encoding the same histograms, by this package's producer and by
// OpenTelemetry's own SDK, in turns; the time of both together and the longest that the event loop went without a turn.
import { createRequire } from 'node:module'
import { performance } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { OtlpProducer } from '../dist/export/otlp-producer.js'
import { createRegistry } from '../dist/index.js'

const fromExporter = createRequire(createRequire(import.meta.url).resolve('@opentelemetry/exporter-metrics-otlp-proto'))
const { ProtobufMetricsSerializer } = fromExporter('@opentelemetry/otlp-transformer')

const BOUNDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const ROUNDS = 40

/** A reader that hands out what it collects, encoded, as the periodic reader does: in messages of so many points. */
class EncodingExporter {
  bytes = 0
  export (metrics, done) {
    this.bytes += ProtobufMetricsSerializer.serializeRequest(metrics).length
    setImmediate(done, { code: 0 })
  }

  async forceFlush () {}
  async shutdown () {}
}

function reader (options) {
  return new PeriodicExportingMetricReader({ exporter: new EncodingExporter(), exportIntervalMillis: 3_600_000, exportTimeoutMillis: 60_000, cardinalityLimits: { default: 1_000_000 }, ...options })
}

const labelsOf = i => ({ method: 'GET', endpoint: `/resource/${i % 100}`, status: String(200 + Math.floor(i / 100)) })

function ours (points) {
  const registry = createRegistry({ limits: { series: 1_000_000, seriesPerMetric: 1_000_000 } })
  const histogram = registry.histogram({ name: 'duration_seconds', help: 'Durations.', labels: ['method', 'endpoint', 'status'], unit: 'seconds', buckets: BOUNDS })
  const series = Array.from({ length: points }, (_, i) => histogram.with(labelsOf(i)))
  const own = reader({ metricProducers: [new OtlpProducer(registry)], maxExportBatchSize: 1_000 })
  const provider = new MeterProvider({ readers: [own] })
  return { touch: i => series[i].observe(0.02), push: () => provider.forceFlush() }
}

function theirs (points) {
  const own = reader({})
  const provider = new MeterProvider({ readers: [own] })
  const histogram = provider.getMeter('bench').createHistogram('duration', { unit: 's', advice: { explicitBucketBoundaries: BOUNDS } })
  const labels = Array.from({ length: points }, (_, i) => labelsOf(i))
  return { touch: i => histogram.record(0.02, labels[i]), push: () => provider.forceFlush() }
}

async function measure (peer, points) {
  for (let i = 0; i < points; i++) peer.touch(i)
  await turn()
  const watch = { last: performance.now(), longest: 0, isOver: false }
  const look = () => {
    const now = performance.now()
    watch.longest = Math.max(watch.longest, now - watch.last)
    watch.last = now
    if (!watch.isOver) setImmediate(look)
  }
  setImmediate(look)
  const started = performance.now()
  await peer.push()
  const ms = performance.now() - started
  watch.isOver = true
  await turn()
  return { ms, longest: watch.longest }
}

const median = values => values.sort((a, b) => a - b)[values.length >> 1]

console.log('| points | | push, ms | ÷ OTel SDK | longest block, ms |\n|---|---|---|---|---|')
for (const points of [1_000, 10_000]) {
  const peers = { 'OTel SDK': theirs(points), 'fastify-vitals': ours(points) }
  const results = Object.fromEntries(Object.keys(peers).map(name => [name, []]))
  for (let round = -20; round < ROUNDS; round++) {
    for (const [name, peer] of Object.entries(peers)) {
      const result = await measure(peer, points)
      if (round >= 0) results[name].push(result)
    }
  }
  const base = median(results['OTel SDK'].map(({ ms }) => ms))
  for (const [name, all] of Object.entries(results)) {
    const ms = median(all.map(result => result.ms))
    console.log(`| ${points} | ${name} | ${ms.toFixed(1)} | ${(ms / base).toFixed(2)} | ${median(all.map(result => result.longest)).toFixed(1)} |`)
  }
}
