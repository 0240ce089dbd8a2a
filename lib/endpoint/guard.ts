import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Authenticator } from './auth.ts'
import type { Deadlines } from './deadlines.ts'
import type { Limits } from './limits.ts'
import { refuse } from './refusal.ts'

export interface GuardParts {
  authenticator: Authenticator
  limits: Limits
  deadlines: Deadlines
}

/**
 * The hook that lets a scrape pass or answers 403 (not on the allow list), 401 (not authenticated), 429 (too often), 500 (the application's
 * own check threw) or 503 (it did not answer in time). Failures are limited apart, and right credentials are never
 * asked about failures: no stranger can lock the scraper out, not even from its own address.
 */
export function createGuard ({ authenticator, limits, deadlines }: GuardParts) {
  return async function guard (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    if (!authenticator.isListed(request)) return refuse(reply, 403)
    const deadline = deadlines.start(request, reply)
    const outcome = await deadline.race(authenticator.isAuthenticated(request)).catch(toFailure)

    const retryAfter = outcome === true ? await limits.scrape(request) : await limits.failure(request)
    if (retryAfter > 0) return refuse(reply, 429, { 'retry-after': String(retryAfter) })
    if (outcome === true) return undefined
    if (outcome === false) return refuse(reply, 401, { 'www-authenticate': authenticator.challenges })
    if (deadline.signal.aborted) return refuse(reply, 503)
    request.log.error({ failure: outcome }, 'auth.custom of the metrics endpoint failed')
    return refuse(reply, 500)
  }
}

// Not the message: the application may have put the credentials in it.
function toFailure (error: unknown): { type: string, code: unknown, stack: string[] } {
  const { name, code, stack = '' } = (error instanceof Error ? error : {}) as NodeJS.ErrnoException
  return { type: name ?? typeof error, code, stack: stack.split('\n').filter((line) => line.startsWith('    at ')) }
}
