import type { FastifyInstance, RouteOptions } from 'fastify'
import type { ResolvedOptions } from '../options.ts'
import { createAuthenticator } from './auth.ts'
import { Deadlines } from './deadlines.ts'
import { createGuard } from './guard.ts'
import type { WatchLimiters } from './limits.ts'
import { createLimits } from './limits.ts'
import { createScrapeHandler } from './scrape.ts'
import type { OnScrape, ScrapeSource } from './scrape.ts'

export interface RouteSettings extends Pick<ResolvedOptions, 'path' | 'auth' | 'rateLimit'> {
  readonly exposition: ScrapeSource
  readonly onScrape: OnScrape
  /** Has the endpoint's own limiters watched. @default not */
  readonly watchLimiters?: WatchLimiters | undefined
}

const GRACE_ON_CLOSE_MS = 1000

/** Declares the route on this instance: GET and HEAD, hidden from OpenAPI documents, outside the application's limiter and compression. */
export async function addRoute (app: FastifyInstance, { exposition, path, auth, rateLimit, onScrape, watchLimiters }: RouteSettings): Promise<void> {
  const deadlines = new Deadlines()
  const authenticator = createAuthenticator(auth)
  const limits = await createLimits(rateLimit, watchLimiters)
  // `hide` and `compress` are options of plugins that need not be there, so Fastify's own types do not know them.
  const forOtherPlugins = { schema: { hide: true }, config: { rateLimit: false }, compress: false } as Partial<RouteOptions>

  app.route({
    ...forOtherPlugins,
    method: ['GET', 'HEAD'],
    url: path,
    onRequest: createGuard({ authenticator, limits, deadlines }),
    handler: createScrapeHandler({ exposition, deadlines, onScrape })
  })
  app.addHook('preClose', async () => deadlines.endAllWithin(GRACE_ON_CLOSE_MS))
}
