import type { Component } from './watched-store.ts'

export type Flags = Readonly<Record<string, unknown>>

/** The options of a limiter, or of a route of it, that matter here; there are others. */
export interface LimiterOptions {
  readonly addHeaders?: Flags | undefined
  readonly addHeadersOnExceeding?: Flags | undefined
  readonly ban?: unknown
  readonly errorResponseBuilder?: unknown
}

/** What one registration of @fastify/rate-limit keeps to itself. All that it makes shares these two objects, or copies them. */
export interface LimiterParts {
  readonly component: Component
  /** Its options, with defaults. */
  readonly params: {
    readonly addHeaders: Flags
    readonly addHeadersOnExceeding: Flags
    readonly ban: number
    readonly isCustomErrorMessage: boolean
    readonly labels: Readonly<Record<'rateLimit' | 'rateRemaining' | 'rateReset' | 'retryAfter', string>>
  }
}

/** A limiter's hook that gives routes their limit. */
export type RouteHook = (this: unknown, route: never) => unknown

const enough = Symbol('vitals.enough')

/**
 * Opens a limiter by its route hook, which has its parts in its closure and no other way to them. Asked to give a
 * made-up route a limit of its own, it derives a component from its own (`Object.create`) and joins the route's options
 * to its own (`Object.assign`): both are stood in for while the hook runs, and the second ends it before anything is
 * made. `undefined` for what is not a limiter as we know them.
 */
export function openLimiter (routeHook: RouteHook): LimiterParts | undefined {
  const { assign, create } = Object
  let component: unknown
  let params: unknown
  // Not by assignment, which throws where the language's own objects are frozen.
  Reflect.set(Object, 'create', (prototype: object | null, properties: PropertyDescriptorMap) => {
    component = prototype
    return create(prototype, properties)
  })
  Reflect.set(Object, 'assign', (_target: object, own: unknown) => {
    params = own
    throw enough
  })
  try {
    routeHook({ config: { rateLimit: {} } } as never)
  } catch {
    // Ended, as meant.
  } finally {
    Reflect.set(Object, 'create', create)
    Reflect.set(Object, 'assign', assign)
  }
  const parts = { component, params }
  return areParts(parts) ? parts : undefined
}

function areParts (parts: { readonly component: unknown, readonly params: unknown }): parts is LimiterParts {
  const component = parts.component as Partial<LimiterParts['component']> | null | undefined
  const params = parts.params as Partial<LimiterParts['params']> | null | undefined
  return typeof component?.rateLimitRan === 'symbol' && [component.store, params?.addHeaders, params?.addHeadersOnExceeding, params?.labels].every(part => typeof part === 'object' && part !== null)
}
