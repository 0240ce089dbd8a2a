import type { Resource } from '@opentelemetry/resources'
import type { MetricProducer } from '@opentelemetry/sdk-metrics'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { activeSpans } from './bridges/active-span.ts'
import { joinMeters } from './bridges/join-meters.ts'
import { PromSource } from './bridges/prom-source.ts'
import { PromView } from './bridges/prom-view.ts'
import { watchTracing } from './bridges/watch-tracing.ts'
import { Clients } from './clients/clients.ts'
import { attachOutbound } from './clients/outbound/outbound.ts'
import { VitalsError } from './errors.ts'
import { registerEndpoint } from './endpoint/endpoint.ts'
import { Exposition } from './export/exposition.ts'
import { isTunnel } from './export/grpc-tunnels.ts'
import type { Pusher } from './export/pusher.ts'
import { isPushAgent } from './export/push-connections.ts'
import { sharePusher } from './export/shared-pusher.ts'
import { createView } from './export/view.ts'
import { attachLimiterWatch } from './limiter/attach.ts'
import { createLimiter } from './limiter/limiter.ts'
import type { ResolvedOptions, VitalsOptions } from './options.ts'
import { attachRecorder } from './record/attach.ts'
import { isWatched } from './record/http1.ts'
import { Recorder } from './record/recorder.ts'
import { resolveOptions } from './resolve-options.ts'
import type { Attributes } from './series/otlp-identity.ts'
import { Registry } from './series/registry.ts'
import { Traces } from './series/traces.ts'
import { NO_WAY_OUT, startLine } from './start-line.ts'
import { Vitals } from './vitals.ts'

async function plugin (app: FastifyInstance, given: VitalsOptions): Promise<void> {
  if (app.hasDecorator('vitals') || isWatched(app.server)) {
    throw new VitalsError('FSV_ERR_ALREADY_REGISTERED', 'fastify-vitals must be registered once for each Fastify application, got a second registration: its requests would be counted twice. Register it once, at the root')
  }
  const options = resolveOptions(given, process.env)
  const { enabled, otlp, naming } = options
  const log = {
    info: (message: string): void => app.log.info(`fastify-vitals: ${message}`),
    warn: (message: string): void => app.log.warn(`fastify-vitals: ${message}`)
  }
  const registry = enabled
    ? options.registry ?? new Registry({ limits: options.limits, constantLabels: options.constantLabels, ...(options.exemplars && { traces: new Traces(activeSpans) }) })
    : new Registry({ recording: false })
  const { traces } = registry
  const isPushing = otlp.targets.length > 0
  const resource = enabled && (isPushing || naming === 'semconv') ? await loadResource(otlp.resource) : undefined
  const exposition = new Exposition(registry, createView(options, resource?.attributes as Attributes | undefined, log.warn), log.warn)
  let pusher: Pusher | undefined
  let recorder: Recorder | undefined
  let clients: Clients | undefined
  if (enabled) {
    registry.onWarning(log.warn)
    tellUnusedLabels(options, log.warn)
    // What is recorded elsewhere.
    const partings = options.registries.map((other, i) => registry.addSource(new PromSource(other, i + 1, registry.constantLabels, log.warn)))
    partings.push(await joinMeters(options.meters, registry, async () => await createProducer(registry), log.warn))
    if (traces?.look() === false) partings.push(watchTracing(traces))
    // What is recorded here.
    const withErrorTypes = isPushing || naming === 'semconv' || typeof options.meters === 'object'
    const scheme = app.initialConfig.https ? 'https' : 'http'
    recorder = new Recorder(registry, options, log.warn, { scheme, withErrorTypes, traces })
    attachRecorder(app, recorder)
    clients = new Clients(registry, withErrorTypes, log.warn)
    if (options.outbound) partings.push(attachOutbound(registry, { withErrorTypes, traces, isOwn: request => isPushAgent(request.agent) || (request.method === 'CONNECT' && isTunnel(request)) }))
    // The ways out. The last push has what the last request recorded: Fastify has answered them all by `onClose`.
    if (isPushing) {
      const { startPusher } = await import('./export/pusher.ts')
      pusher = await sharePusher(registry, async () => await startPusher(registry, resource!, otlp, log))
    }
    app.addHook('onReady', async () => log.info(startLine(options)))
    app.addHook('onClose', async () => {
      await pusher?.close()
      clients?.close()
      for (const part of partings) part()
    })
  }
  if (options.isWithoutWayOut) log.info(NO_WAY_OUT)
  const limiter = createLimiter(registry, options.limiter, request => recorder?.routes.of(request)?.endpoint, log)
  const watchLimiters = enabled && options.limiter !== false ? (other: FastifyInstance): void => attachLimiterWatch(other, limiter.watch) : undefined
  watchLimiters?.(app)
  const endpoint = enabled && options.endpoint
    ? await registerEndpoint(app, { ...options, prefix: (given as { prefix?: string }).prefix, exposition, onScrape: scrapeObserver(registry), watchLimiters })
    : undefined
  app.decorate('vitals', new Vitals(enabled, registry, { exposition, endpoint, pusher, clients, rateLimiter: limiter.reports, promRegistry: new PromView(registry, format => exposition.render(format)) }))
}

// What needs OpenTelemetry's SDK is loaded with what is on: the SDK takes more time and memory than all the rest.

async function loadResource (given: Attributes): Promise<Resource> {
  const { createResource } = await import('./export/resource.ts')
  return await createResource(given, process.env)
}

async function createProducer (registry: Registry): Promise<MetricProducer> {
  const { OtlpProducer } = await import('./export/otlp-producer.ts')
  return new OtlpProducer(registry, { withoutMeters: true })
}

/** A registry that is given brings its own constant labels: those of the environment go nowhere then. */
function tellUnusedLabels ({ registry, constantLabels }: ResolvedOptions, warn: (message: string) => void): void {
  if (registry === undefined) return
  const unused = Object.keys(constantLabels).filter(name => registry.constantLabels[name] !== constantLabels[name])
  if (unused.length > 0) warn(`METRICS_LABEL_* is not used where option registry is given, a registry brings its own labels: ${unused.join(', ')}. Give them to createRegistry({ constantLabels })`)
}

/** Bounds for the size of a scrape, in bytes: from a few metrics to the hundred thousand series of a large service. */
const SCRAPE_SIZE_BUCKETS: readonly number[] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]

function scrapeObserver (registry: Registry): (durationSeconds: number, sizeBytes: number) => void {
  const duration = registry.histogram({ name: 'vitals_scrape_duration_seconds', help: 'Time to render and hand over a scrape.', unit: 'seconds', otlp: { name: 'vitals.scrape.duration', unit: 's' } })
  const size = registry.histogram({ name: 'vitals_scrape_size_bytes', help: 'Bytes of a scrape, before compression.', unit: 'bytes', buckets: SCRAPE_SIZE_BUCKETS, otlp: { name: 'vitals.scrape.size', unit: 'By' } })
  return (durationSeconds, sizeBytes) => {
    duration.observe(durationSeconds)
    size.observe(sizeBytes)
  }
}

/** The Fastify plugin: `app.register(vitals, { auth: { bearer: token } })`. */
export const vitals = fp(plugin, { name: 'fastify-vitals', fastify: '5.x' })
