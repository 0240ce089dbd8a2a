import type { FastifyInstance } from 'fastify'
import { contextsOf, hooksOf, rootOf } from '../contexts.ts'
import type { DecoratorName } from './coming-limiters.ts'
import { DECORATORS, watchComingLimiters } from './coming-limiters.ts'
import { watchEarlierRoutes } from './earlier-routes.ts'
import { isLimiterDecorator, isLimiterRouteHook } from './known-functions.ts'
import { listenToStores } from './learn-stores.ts'
import { limiterMarksOf } from './limiter-marks.ts'
import type { LimiterWatch, LimitFunction, LimitHandler } from './limiter-watch.ts'
import type { RouteHook } from './open-limiter.ts'
import { openLimiter } from './open-limiter.ts'
import { watchedRouteHook } from './route-hook.ts'
import { kindOf } from './stores.ts'
import { WatchedLimiter } from './watched-limiter.ts'
import { watchStoresOf } from './watched-store.ts'

/** What a limiter puts on its instance. */
interface Decorators {
  createRateLimit: (...options: unknown[]) => LimitFunction
  rateLimit: (...options: unknown[]) => LimitHandler
}

/**
 * Watches every @fastify/rate-limit of an application, in three steps:
 * 1. Those that are there: told by their route hooks, which stand in the lists of hooks.
 * 2. The routes that they have limited already: their handlers are wrapped when Fastify puts the routes together.
 * 3. Those to come: seen when they decorate requests and add their route hook.
 * Each is opened (`open-limiter.ts`) for its store and options; its route hook and decorators are wrapped, so that the
 * handlers that they make are (`limiter-watch.ts`).
 */
export function attachLimiterWatch (app: FastifyInstance, watch: LimiterWatch): void {
  const limiters = watchPresentLimiters(app, watch)
  if (limiters.length > 0) watchEarlierRoutes(app, watch, [...limiters])
  const stop = watchComingLimiters(rootOf(app), (context, routeHook, decorators) => {
    const limiter = watchLimiter(context, routeHook, decorators, false, watch)
    if (limiter === undefined) return routeHook
    limiters.push(limiter)
    return watchedRouteHook(routeHook, limiter, watch)
  })
  app.addHook('onReady', async () => {
    stop()
    if (isAnyMissing(app, limiters)) watch.missesLimiter()
  })
  app.addHook('onClose', async () => stop())
}

/** Whether there is a limiter that was not recognised: by the marks on requests, or by its name where it has none. */
function isAnyMissing (app: FastifyInstance, limiters: readonly WatchedLimiter[]): boolean {
  for (const mark of limiterMarksOf(app)) if (!limiters.some(({ ran }) => ran === mark)) return true
  return limiters.length === 0 && contextsOf(app).some(context => context.hasPlugin('@fastify/rate-limit'))
}

/** Limiters that were there before us. A hook is in the lists of all contexts below the limiter's. */
function watchPresentLimiters (app: FastifyInstance, watch: LimiterWatch): WatchedLimiter[] {
  const limiters: WatchedLimiter[] = []
  const watched = new Map<RouteHook, RouteHook>()
  for (const context of contextsOf(app)) {
    const hooks = hooksOf(context)['onRoute'] as RouteHook[] | undefined ?? []
    let decorators = DECORATORS.filter(name => Object.hasOwn(context, name) && isLimiterDecorator((context as unknown as Decorators)[name]))
    hooks.forEach((hook, i) => {
      if (!isLimiterRouteHook(hook)) return
      if (!watched.has(hook)) {
        const limiter = watchLimiter(context, hook, decorators, true, watch)
        // The first of a context has decorated it.
        decorators = []
        if (limiter !== undefined) limiters.push(limiter)
        watched.set(hook, limiter === undefined ? hook : watchedRouteHook(hook, limiter, watch))
      }
      hooks[i] = watched.get(hook)!
    })
  }
  return limiters
}

/** Opens a limiter and watches its store and decorators; `undefined` where it is another than we know. */
function watchLimiter (context: FastifyInstance, routeHook: RouteHook, decorators: readonly DecoratorName[], isFound: boolean, watch: LimiterWatch): WatchedLimiter | undefined {
  const parts = openLimiter(routeHook)
  if (parts === undefined) {
    watch.missesLimiter()
    return undefined
  }
  const { component, params } = parts
  const { store } = component
  const limiter = new WatchedLimiter(parts, context)
  watchStoresOf(component, params, watch.timesOf(store), limiter.beginning, () => watch.missesChecks(limiter))
  watchDecorators(context, decorators, limiter, watch)
  if (isFound) {
    // What it has made before.
    const stop = listenToStores(store, () => watch.maybeMissesChecks(limiter))
    if (stop === undefined) watch.missesStore(limiter)
    else {
      if (kindOf(store) === 'custom' && typeof store.child === 'function') watch.mayMissStores(limiter)
      context.addHook('onClose', async () => stop())
    }
  }
  return limiter
}

function watchDecorators (context: FastifyInstance, names: readonly DecoratorName[], limiter: WatchedLimiter, watch: LimiterWatch): void {
  const decorated = context as unknown as Decorators
  const { createRateLimit, rateLimit } = decorated
  if (names.includes('createRateLimit')) {
    decorated.createRateLimit = function (...args) { return watch.limit(createRateLimit.apply(this, args), limiter) }
  }
  if (!names.includes('rateLimit')) return
  decorated.rateLimit = function (...args) { return watch.handler(rateLimit.apply(this, args), limiter) }
}
