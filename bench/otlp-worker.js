// Pushes histograms to a receiver: `node otlp-worker.js <peer> <points> <temporality> <url>`. Answers each message with what a push took.
import { createRequire } from 'node:module'
import { performance } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { durationBounds } from './workload.js'

const [peer, pointsText, temporality, url] = process.argv.slice(2)
const points = Number(pointsText)
/** Enough for garbage to be collected now and then: small pushes leave it to those that follow. */
const pushes = Math.ceil(10_000 / points)

// The product's own SDK and exporter for both.
const require = createRequire(new URL('../package.json', import.meta.url))
const HOUR_MS = 3_600_000
const labels = Array.from({ length: points }, (_, i) => ({ method: 'GET', endpoint: `/resource/${i % 100}`, status: String(200 + Math.floor(i / 100)) }))

const open = {
  async vitals () {
    const { createRegistry } = await import('../dist/index.js')
    const { startPusher } = await import('../dist/export/pusher.js')
    const { resolveOtlp } = await import('../dist/resolve-otlp.js')
    const registry = createRegistry({ limits: { series: 1_000_000, seriesPerMetric: 1_000_000 } })
    const histogram = registry.histogram({ name: 'duration_seconds', help: 'Durations.', labels: ['method', 'endpoint', 'status'], unit: 'seconds', buckets: durationBounds })
    const series = labels.map((set) => histogram.with(set))
    const { defaultResource } = require('@opentelemetry/resources')
    const log = { info () {}, warn: fail }
    const { flush } = await startPusher(registry, defaultResource(), resolveOtlp({ endpoint: url, intervalMs: HOUR_MS, temporality }, {}), log)
    return { touch: (i) => series[i].observe(0.02), push: flush }
  },

  async otel () {
    const { MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics')
    const { OTLPMetricExporter } = require('@opentelemetry/exporter-metrics-otlp-proto')
    const { AggregationTemporalityPreference } = require('@opentelemetry/exporter-metrics-otlp-http')
    const temporalityPreference = AggregationTemporalityPreference[temporality.toUpperCase()]
    const exporter = new OTLPMetricExporter({ url: `${url}/v1/metrics`, timeoutMillis: 10_000, temporalityPreference })
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: HOUR_MS, exportTimeoutMillis: HOUR_MS, cardinalityLimits: { default: 1_000_000 } })
    const provider = new MeterProvider({ readers: [reader] })
    const histogram = provider.getMeter('bench').createHistogram('duration', { unit: 's', advice: { explicitBucketBoundaries: durationBounds } })
    return { touch: (i) => histogram.record(0.02, labels[i]), push: () => provider.forceFlush() }
  }
}

const { touch, push } = await open[peer]()

process.on('disconnect', () => process.exit())
// A push more for the longest block: looking for it takes all the time there is, so it would count as the cost of waiting.
process.on('message', async () => {
  let cpuMs = 0
  for (let i = 0; i < pushes; i++) {
    await touchAll()
    const before = process.cpuUsage()
    await push()
    const { user, system } = process.cpuUsage(before)
    cpuMs += (user + system) / 1_000
  }
  await touchAll()
  const turns = sampleTurns()
  await push()
  process.send({ result: { cpuMs: cpuMs / pushes, blockMs: turns.stop() } })
})
process.send({ result: 'ready' })

async function touchAll () {
  for (let i = 0; i < points; i++) touch(i)
  await turn()
}

/** The longest time between two turns of the event loop: the lesser of the clock and of CPU time, which others cannot take. */
function sampleTurns () {
  let longest = 0
  let since = stand()
  let next = setImmediate(sample)

  function sample () {
    const now = stand()
    longest = Math.max(longest, Math.min(now.ms - since.ms, now.cpuMs - since.cpuMs))
    since = now
    next = setImmediate(sample)
  }

  return {
    stop () {
      sample()
      clearImmediate(next)
      return longest
    }
  }
}

function stand () {
  const { user, system } = process.cpuUsage()
  return { ms: performance.now(), cpuMs: (user + system) / 1_000 }
}

function fail (message) {
  throw new Error(message)
}
