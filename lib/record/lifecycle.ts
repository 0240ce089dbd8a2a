import type { FastifyInstance, onErrorHookHandler, onRequestHookHandler, onSendHookHandler } from 'fastify'

/** The hooks that name requests and note errors. */
export interface LifecycleHooks {
  readonly onRequest: onRequestHookHandler
  readonly onError: onErrorHookHandler
  /** Added only where `onRequest` cannot be first: names requests that an earlier hook answered. */
  readonly onSend: onSendHookHandler
}

type Tree = Record<symbol, unknown>
type HookLists = { onRequest: unknown[], onError: unknown[] }

/**
 * Adds the hooks to every context of the application, those registered earlier included, and as the first: an earlier
 * plugin that answers or throws in `onRequest` must not hide the route. Fastify has no public way to be first, so this
 * uses its own lists; where they are not found, it makes do with `addHook`.
 */
export function addLifecycleHooks (app: FastifyInstance, hooks: LifecycleHooks): void {
  const instance = app as unknown as Tree
  const kHooks = symbolOf(app, 'fastify.hooks')
  const kChildren = symbolOf(app, 'fastify.children')
  if (kHooks === undefined || kChildren === undefined || !Array.isArray((instance[kHooks] as HookLists).onRequest)) {
    app.addHook('onRequest', hooks.onRequest)
    app.addHook('onError', hooks.onError)
    app.addHook('onSend', hooks.onSend)
    return
  }
  let root = instance
  while (Object.hasOwn(Object.getPrototypeOf(root) as object, kChildren)) root = Object.getPrototypeOf(root) as Tree
  const visit = (context: Tree): void => {
    const lists = context[kHooks] as HookLists
    lists.onRequest.unshift(hooks.onRequest)
    lists.onError.unshift(hooks.onError)
    for (const child of context[kChildren] as Tree[]) visit(child)
  }
  visit(root)
}

/** One of Fastify's own properties, by its description, on an instance or on what it inherits from. */
export function symbolOf (instance: object, description: string): symbol | undefined {
  for (let object: object | null = instance; object !== null; object = Object.getPrototypeOf(object) as object | null) {
    const found = Object.getOwnPropertySymbols(object).find(symbol => symbol.description === description)
    if (found !== undefined) return found
  }
  return undefined
}
