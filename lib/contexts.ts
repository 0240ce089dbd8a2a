import type { FastifyInstance, FastifyRequest } from 'fastify'

type Tree = FastifyInstance & Record<symbol, unknown>

/** The contexts of the application, the root first; just the given one where Fastify's lists are not found. */
export function contextsOf (app: FastifyInstance): FastifyInstance[] {
  const kChildren = symbolOf(app, 'fastify.children')
  if (kChildren === undefined) return [app]
  const contexts: FastifyInstance[] = [rootOf(app)]
  for (const context of contexts) contexts.push(...(context as Tree)[kChildren] as FastifyInstance[])
  return contexts
}

/** The hooks of a context by name, as Fastify keeps them; empty where they are not found. */
export function hooksOf (context: FastifyInstance): Record<string, unknown> {
  const kHooks = symbolOf(context, 'fastify.hooks')
  return (kHooks === undefined ? {} : (context as Tree)[kHooks]) as Record<string, unknown>
}

/** What requests of a context have been decorated with, apart from functions; empty where Fastify's list is not found. */
export function requestPropertiesOf (context: FastifyInstance): (string | symbol)[] {
  const kRequest = symbolOf(context, 'fastify.Request')
  const { props } = (kRequest === undefined ? { props: [] } : (context as Tree)[kRequest]) as { props: { readonly key: string | symbol }[] }
  return props.map(({ key }) => key)
}

/** The context that all others inherit from. */
export function rootOf (app: FastifyInstance): FastifyInstance {
  const kChildren = symbolOf(app, 'fastify.children')
  const parent = Object.getPrototypeOf(app) as FastifyInstance
  return kChildren !== undefined && Object.hasOwn(parent, kChildren) ? rootOf(parent) : app
}

/**
 * Finds the config of the route that a request is on, where Fastify keeps it: the public `request.routeOptions` builds an object of a dozen
 * fields on each access. Throws where it is given what is no request.
 */
export class RouteConfigs {
  #key: symbol | undefined

  of (request: FastifyRequest): object {
    this.#key ??= Object.getOwnPropertySymbols(request).find(symbol => symbol.description === 'fastify.context')
    return (this.#key === undefined ? request.routeOptions : (request as unknown as Record<symbol, { readonly config: object }>)[this.#key]!).config
  }
}

/** One of Fastify's own properties, by its description, on an instance or on what it inherits from. */
export function symbolOf (instance: object, description: string): symbol | undefined {
  for (let object: object | null = instance; object !== null; object = Object.getPrototypeOf(object) as object | null) {
    const found = Object.getOwnPropertySymbols(object).find(symbol => symbol.description === description)
    if (found !== undefined) return found
  }
  return undefined
}
