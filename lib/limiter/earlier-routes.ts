import type { FastifyInstance } from 'fastify'
import { contextsOf, hooksOf } from '../contexts.ts'
import { EarlierHook } from './earlier-hook.ts'
import type { Hook } from './earlier-hook.ts'
import type { LimiterWatch } from './limiter-watch.ts'
import { LIFECYCLE_HOOKS } from './route-hook.ts'
import type { WatchedLimiter } from './watched-limiter.ts'

/**
 * Routes that were declared before us, of whose hooks only Fastify knows: it joins them with the hooks of their context
 * once all is loaded, by the `concat` of that context's list. Of those in the list, only hooks that return promises can be
 * a limiter's.
 */
export function watchEarlierRoutes (app: FastifyInstance, watch: LimiterWatch, limiters: readonly WatchedLimiter[]): void {
  const watched = new WeakMap<object, Hook>()
  const toWatched = (hook: unknown): unknown => {
    if (typeof hook !== 'function' || watch.isOwn(hook)) return hook
    let wrapped = watched.get(hook)
    if (wrapped === undefined) {
      const earlier = new EarlierHook(hook as Hook, limiters, watch)
      wrapped = function (request, reply, ...rest) { return earlier.call(this, request, reply, rest) }
      watched.set(hook, wrapped)
    }
    return wrapped
  }
  for (const context of contextsOf(app)) {
    const hooks = hooksOf(context)
    for (const name of LIFECYCLE_HOOKS) {
      // It has no reply, so no limiter checks there.
      if (name === 'onRequestAbort') continue
      // They are there: a limiter was found among them.
      Object.defineProperty(hooks[name], 'concat', {
        configurable: true,
        value (this: Hook[], ...others: unknown[]) {
          return [...this.map(hook => hook.length === 2 ? toWatched(hook) : hook), ...others.flat().map(toWatched)]
        }
      })
    }
  }
}
