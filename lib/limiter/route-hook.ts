import type { LimiterWatch, LimitHandler } from './limiter-watch.ts'
import type { LimiterOptions, RouteHook } from './open-limiter.ts'
import type { WatchedLimiter } from './watched-limiter.ts'

/** The hooks on which a limiter may check. */
export const LIFECYCLE_HOOKS = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend', 'onResponse', 'onError', 'onTimeout', 'onRequestAbort'] as const

type Route = { [hook in (typeof LIFECYCLE_HOOKS)[number]]?: unknown }

/** A limiter's route hook that gives routes watched handlers: those that it adds, in their place. */
export function watchedRouteHook (original: RouteHook, limiter: WatchedLimiter, watch: LimiterWatch): RouteHook {
  return function (route: Route) {
    const before = LIFECYCLE_HOOKS.map(hook => lastOf(route[hook]))
    original.call(this, route as never)
    LIFECYCLE_HOOKS.forEach((hook, i) => {
      const list = route[hook]
      const added = lastOf(list)
      if (added !== before[i]) (list as unknown[])[(list as unknown[]).length - 1] = watch.handler(added as LimitHandler, limiter)
    })
  }
}

/** A route's limit of its own; `undefined` where it has none. */
export function ownLimitOf (config: { readonly rateLimit?: unknown } | undefined): LimiterOptions | undefined {
  const limit = config?.rateLimit
  return typeof limit === 'object' && limit !== null ? limit : undefined
}

function lastOf (hooks: unknown): unknown {
  return Array.isArray(hooks) ? hooks.at(-1) : hooks
}
