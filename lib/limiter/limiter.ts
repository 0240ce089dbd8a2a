import type { ResolvedLimiter } from '../options.ts'
import type { Registry } from '../series/registry.ts'
import type { EndpointOf } from './check-recorder.ts'
import { CheckRecorder } from './check-recorder.ts'
import { LimiterMetrics } from './limiter-metrics.ts'
import type { LimiterLog } from './limiter-watch.ts'
import { LimiterWatch } from './limiter-watch.ts'
import { RateLimiter } from './rate-limiter.ts'

/** The two ways in of the rate-limiter set: what is seen of @fastify/rate-limit, and what other limiters report. */
export interface Limiter {
  readonly watch: LimiterWatch
  readonly reports: RateLimiter
}

/** Defines the set in a registry; `false` leaves @fastify/rate-limit alone, others may report all the same. */
export function createLimiter (registry: Registry, options: false | ResolvedLimiter, endpointOf: EndpointOf, log: LimiterLog): Limiter {
  const resolved = options === false ? { authenticated: undefined, labels: undefined } : options
  const metrics = new LimiterMetrics(registry, resolved.labels?.names ?? [])
  const checks = new CheckRecorder(metrics, resolved, endpointOf)
  return { watch: new LimiterWatch(checks, log), reports: new RateLimiter(checks) }
}
