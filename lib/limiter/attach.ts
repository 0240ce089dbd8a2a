import type { FastifyInstance, FastifyRequest } from 'fastify'
import { contextsOf, hooksOf, rootOf } from './contexts.ts'
import { isLimiterDecorator, isLimiterRouteHook, isLimitHandler } from './known-functions.ts'
import type { LimiterOptions } from './limiter-settings.ts'
import { LimiterSettings, settingsOf } from './limiter-settings.ts'
import type { Hidden, LimiterWatch, LimitFunction, LimitHandler } from './limiter-watch.ts'
import type { PluginFunction } from './registrations.ts'
import { watchRegistrations } from './registrations.ts'
import type { RouteHook } from './route-hook.ts'
import { LIFECYCLE_HOOKS, watchedRouteHook } from './route-hook.ts'
import { openLessons } from './lessons.ts'
import { seeStoresMade } from './store-births.ts'
import { findStoreClasses } from './store-classes.ts'
import type { StoreClass } from './stores.ts'

/** What a limiter puts on its instance. */
interface Decorators {
  createRateLimit?: (...options: unknown[]) => LimitFunction
  rateLimit?: (...options: unknown[]) => LimitHandler
}

type DecoratorName = keyof Decorators

const DECORATORS: readonly DecoratorName[] = ['createRateLimit', 'rateLimit']

/** Watches every @fastify/rate-limit of an application: those that are there, and those to come. */
export async function attachLimiterWatch (app: FastifyInstance, watch: LimiterWatch): Promise<void> {
  if (watchPresentLimiters(app, watch)) {
    const closeLessons = openLessons()
    app.addHook('onClose', async () => closeLessons())
  }
  await watchRegistrations(app, rootOf(app), original => watchedPlugin(original, watch))
}

/** A limiter that comes after us: it is told from its first moment what it makes. */
function watchedPlugin (original: PluginFunction, watch: LimiterWatch): PluginFunction {
  return (instance, options) => {
    const settings = new LimiterSettings(options, false, watch.banned)
    const hooks = routeHooksOf(instance)
    const hookCount = hooks.length
    const had = DECORATORS.filter(name => instance.hasDecorator(name))
    let hasStore = typeof options['store'] === 'function'
    findStoreClasses()
    const outcome = seeStoresMade(() => original(instance, settings.ofRegistration((store: StoreClass) => watch.stores.watchedClass(store)) as Record<string, unknown>), (store, kind) => {
      hasStore = true
      watch.stores.watch(store, kind)
    })
    if (!hasStore) watch.missesStore()
    for (let i = hookCount; i < hooks.length; i++) hooks[i] = watchedRouteHook(hooks[i]!, settings, watch)
    watchDecorators(instance, DECORATORS.filter(name => instance.hasDecorator(name) && !had.includes(name)), settings, watch)
    return outcome
  }
}

/** Limiters that were there before us: their hooks, decorators and handlers are told by what they are. */
function watchPresentLimiters (app: FastifyInstance, watch: LimiterWatch): boolean {
  const known = new Map<RouteHook, { settings: LimiterSettings, watched: RouteHook }>()
  for (const context of contextsOf(app)) {
    const hooks = routeHooksOf(context)
    const present: LimiterSettings[] = []
    hooks.forEach((hook, i) => {
      if (!isLimiterRouteHook(hook)) return
      let found = known.get(hook)
      if (found === undefined) {
        const settings = new LimiterSettings(settingsOf(hook as (route: object) => unknown), true, watch.banned)
        known.set(hook, found = { settings, watched: watchedRouteHook(hook, settings, watch) })
      }
      hooks[i] = found.watched
      present.push(found.settings)
    })
    const own = DECORATORS.filter(name => Object.hasOwn(context, name) && isLimiterDecorator((context as unknown as Decorators)[name]))
    if (present[0] !== undefined) watchDecorators(context, own, present[0], watch)
  }
  if (known.size > 0) watchEarlierRoutes(app, watch, [...known.values()].map(({ settings }) => settings))
  return known.size > 0
}

function routeHooksOf (context: FastifyInstance): RouteHook[] {
  return hooksOf(context)['onRoute'] as RouteHook[] | undefined ?? []
}

function watchDecorators (instance: FastifyInstance, names: readonly DecoratorName[], settings: LimiterSettings, watch: LimiterWatch): void {
  const decorated = instance as unknown as Decorators
  const { createRateLimit, rateLimit } = decorated
  const making = <T>(run: () => T): T => seeStoresMade(run, (store, kind) => watch.stores.watch(store, kind))
  if (names.includes('createRateLimit')) {
    decorated.createRateLimit = function (...args) { return watch.limit(making(() => createRateLimit!.apply(this, args)), settings.isFound) }
  }
  if (!names.includes('rateLimit')) return
  decorated.rateLimit = function (...args) {
    const given = typeof args[0] === 'object' && args[0] !== null ? args[0] as LimiterOptions : undefined
    const { options, shown, hidden } = settings.ofRoute(given)
    return watch.handler(making(() => rateLimit!.apply(this, options === given ? args : [options])), shown, () => hidden, settings.isFound)
  }
}

/**
 * Routes that were declared before us, of whose handlers only Fastify knows: it joins them with the hooks of their context
 * once all is loaded, by the `concat` of that context's list.
 */
function watchEarlierRoutes (app: FastifyInstance, watch: LimiterWatch, limiters: readonly LimiterSettings[]): void {
  const watched = new WeakMap<object, unknown>()
  const hiddenOf = (request: FastifyRequest): Hidden => {
    const { rateLimit } = request.routeOptions.config as { rateLimit?: LimiterOptions | boolean | null }
    const hidden = limiters.map(limiter => limiter.hiddenAt(typeof rateLimit === 'object' && rateLimit !== null ? rateLimit : undefined))
    return { allowed: hidden.some(({ allowed }) => allowed), refused: hidden.some(({ refused }) => refused) }
  }
  const toWatched = (hook: unknown): unknown => {
    if (!isLimitHandler(hook)) return hook
    let handler = watched.get(hook as object)
    if (handler === undefined) watched.set(hook as object, handler = watch.handler(hook as LimitHandler, undefined, hiddenOf, true))
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
