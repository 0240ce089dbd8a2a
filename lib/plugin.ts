import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { VitalsError } from './errors.ts'
import { Exposition } from './export/exposition.ts'
import { registerEndpoint } from './endpoint/endpoint.ts'
import { attachLimiterWatch } from './limiter/attach.ts'
import type { EndpointOf } from './limiter/check-recorder.ts'
import { createLimiter } from './limiter/limiter.ts'
import type { VitalsOptions } from './options.ts'
import { attachRecorder } from './record/attach.ts'
import { isWatched } from './record/http1.ts'
import { Recorder } from './record/recorder.ts'
import { resolveOptions } from './resolve-options.ts'
import { Registry } from './series/registry.ts'
import { Vitals } from './vitals.ts'

async function plugin (app: FastifyInstance, given: VitalsOptions): Promise<void> {
  if (app.hasDecorator('vitals') || isWatched(app.server)) {
    throw new VitalsError('FSV_ERR_ALREADY_REGISTERED', 'fastify-vitals must be registered once for each Fastify application, got a second registration: its requests would be counted twice. Register it once, at the root')
  }
  const options = resolveOptions(given, process.env)
  const warn = (message: string): void => app.log.warn(`fastify-vitals: ${message}`)
  const registry = options.enabled
    ? options.registry ?? new Registry({ limits: options.limits, constantLabels: options.constantLabels })
    : new Registry({ recording: false })
  const exposition = new Exposition(registry)
  let endpointOf: EndpointOf = () => undefined
  if (options.enabled) {
    registry.onWarning(warn)
    const recorder = new Recorder(registry, options, warn)
    attachRecorder(app, recorder)
    endpointOf = request => recorder.routes.of(request)?.endpoint
  }
  const limiter = createLimiter(registry, options.limiter, endpointOf, warn)
  if (options.enabled && options.limiter !== false) await attachLimiterWatch(app, limiter.watch)
  const endpoint = options.enabled && options.endpoint
    ? await registerEndpoint(app, { ...options, prefix: (given as { prefix?: string }).prefix, exposition, onScrape: scrapeObserver(registry) })
    : undefined
  app.decorate('vitals', new Vitals(options.enabled, registry, exposition, endpoint, limiter.reports))
}

/** Bounds for the text of a scrape, in bytes: from a few metrics to the hundred thousand series of a large service. */
const SCRAPE_SIZE_BUCKETS: readonly number[] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]

function scrapeObserver (registry: Registry): (durationSeconds: number, sizeBytes: number) => void {
  const duration = registry.histogram({ name: 'vitals_scrape_duration_seconds', help: 'Time to render and hand over a scrape.', unit: 'seconds' })
  const size = registry.histogram({ name: 'vitals_scrape_size_bytes', help: 'Bytes of text of a scrape, before compression.', unit: 'bytes', buckets: SCRAPE_SIZE_BUCKETS })
  return (durationSeconds, sizeBytes) => {
    duration.observe(durationSeconds)
    size.observe(sizeBytes)
  }
}

/** The Fastify plugin: `app.register(vitals, { auth: { bearer: token } })`. */
export const vitals = fp(plugin, { name: 'fastify-vitals', fastify: '5.x' })
