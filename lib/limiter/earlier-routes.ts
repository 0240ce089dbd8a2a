import type { FastifyInstance } from 'fastify'
import { contextsOf, hooksOf } from '../contexts.ts'
import { isLimitHandler } from './known-functions.ts'
import type { LimiterWatch, LimitHandler } from './limiter-watch.ts'
import { LIFECYCLE_HOOKS } from './route-hook.ts'
import type { WatchedLimiter } from './watched-limiter.ts'

/**
 * Routes that were declared before us, of whose handlers only Fastify knows: it joins them with the hooks of their context
 * once all is loaded, by the `concat` of that context's list.
 */
export function watchEarlierRoutes (app: FastifyInstance, watch: LimiterWatch, limiters: readonly WatchedLimiter[]): void {
  const watched = new WeakMap<object, unknown>()
  const toWatched = (hook: unknown): unknown => {
    if (!isLimitHandler(hook)) return hook
    let handler = watched.get(hook as object)
    if (handler === undefined) watched.set(hook as object, handler = watch.earlierHandler(hook as LimitHandler, limiters))
    return handler
  }
  for (const context of contextsOf(app)) {
    const hooks = hooksOf(context)
    for (const name of LIFECYCLE_HOOKS) {
      // They are there: a limiter was found among them.
      Object.defineProperty(hooks[name], 'concat', {
        configurable: true,
        value (this: unknown[], ...others: unknown[]) { return Array.prototype.concat.apply(this, others).map(toWatched) }
      })
    }
  }
}
