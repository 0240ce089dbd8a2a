import { isIP } from 'node:net'
import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ResolvedOptions } from '../options.ts'

/** Each takes one from its bucket of the request's address and says after how many seconds to come back; 0 is "go on". */
export interface Limits {
  /** Requests that proved who they are. */
  scrape (request: FastifyRequest): Promise<number>
  /** Requests that did not. */
  failure (request: FastifyRequest): Promise<number>
}

/** Has the limiters that an application is about to register watched. */
export type WatchLimiters = (app: FastifyInstance) => void

const unlimited = async () => 0

/**
 * Two limiters of @fastify/rate-limit with a memory store each (5,000 addresses at most, the least recently seen leave first). They are
 * made on a Fastify instance that serves nothing: within the application, the plugin would hand out the limiter of an earlier
 * registration with its settings and store, and a later registration would meet our decorators.
 */
export async function createLimits (limit: ResolvedOptions['rateLimit'], watchLimiters?: WatchLimiters): Promise<Limits> {
  if (limit === false) return { scrape: unlimited, failure: unlimited }
  const { default: Fastify } = await import('fastify')
  const workshop = Fastify()
  watchLimiters?.(workshop)
  await workshop.register(rateLimit, { global: false })

  const createLimiter = () => {
    const check = workshop.createRateLimit({ ...limit, keyGenerator: toKey })
    return async (request: FastifyRequest) => {
      const verdict = await check(request)
      return !verdict.isAllowed && verdict.isExceeded ? Math.max(1, verdict.ttlInSeconds) : 0
    }
  }
  return { scrape: createLimiter(), failure: createLimiter() }
}

// A proxy can hand on anything as an address, and a Unix socket has none: all of those share one bucket, and a key is always short.
function toKey ({ ip }: FastifyRequest): string {
  return isIP(ip) === 0 ? 'unknown' : normalizeIP(ip)
}
