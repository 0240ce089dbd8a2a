import type { LimiterOptions, LimiterSettings } from './limiter-settings.ts'
import type { LimiterWatch, LimitHandler } from './limiter-watch.ts'
import { seeStoresMade } from './store-births.ts'

/** The hooks on which a limiter may check. */
export const LIFECYCLE_HOOKS = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend', 'onResponse', 'onError', 'onTimeout', 'onRequestAbort'] as const

type Route = { config?: { rateLimit?: LimiterOptions | boolean | null } } & { [hook in (typeof LIFECYCLE_HOOKS)[number]]?: unknown }

/** A hook that gives routes their limit. */
export type RouteHook = (this: unknown, route: Route) => unknown

/** A limiter's route hook that gives routes watched handlers: those that it adds, in their place. */
export function watchedRouteHook (original: RouteHook, settings: LimiterSettings, watch: LimiterWatch): RouteHook {
  return function (route) {
    const { config } = route
    const own = typeof config?.rateLimit === 'object' && config.rateLimit !== null ? config.rateLimit : undefined
    const { options, shown, hidden } = settings.ofRoute(own)
    const before = LIFECYCLE_HOOKS.map(hook => lastOf(route[hook]))
    if (options !== own) route.config = { ...config!, rateLimit: options! }
    try {
      seeStoresMade(() => original.call(this, route), (store, kind) => watch.stores.watch(store, kind))
    } finally {
      if (options !== own) route.config = config!
    }
    LIFECYCLE_HOOKS.forEach((hook, i) => {
      const list = route[hook]
      const added = lastOf(list)
      if (added !== before[i]) (list as unknown[])[(list as unknown[]).length - 1] = watch.handler(added as LimitHandler, shown, () => hidden, settings.isFound)
    })
  }
}

function lastOf (hooks: unknown): unknown {
  return Array.isArray(hooks) ? hooks.at(-1) : hooks
}
