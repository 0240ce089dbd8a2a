import type { FastifyInstance, onErrorHookHandler, onRequestHookHandler, onSendHookHandler } from 'fastify'
import { contextsOf, hooksOf } from '../contexts.ts'

/** The hooks that name requests and note errors. */
export interface LifecycleHooks {
  readonly onRequest: onRequestHookHandler
  readonly onError: onErrorHookHandler
  /** Added only where `onRequest` cannot be first: names requests that an earlier hook answered. */
  readonly onSend: onSendHookHandler
}

type HookLists = { onRequest: unknown[], onError: unknown[] }

/**
 * Adds the hooks to every context of the application, those registered earlier included, and as the first: an earlier
 * plugin that answers or throws in `onRequest` must not hide the route. Fastify has no public way to be first, so this
 * uses its own lists; where they are not found, it makes do with `addHook`.
 */
export function addLifecycleHooks (app: FastifyInstance, hooks: LifecycleHooks): void {
  const lists = contextsOf(app).map(context => hooksOf(context) as HookLists)
  if (!lists.every(({ onRequest }) => Array.isArray(onRequest))) {
    app.addHook('onRequest', hooks.onRequest)
    app.addHook('onError', hooks.onError)
    app.addHook('onSend', hooks.onSend)
    return
  }
  for (const { onRequest, onError } of lists) {
    onRequest.unshift(hooks.onRequest)
    onError.unshift(hooks.onError)
  }
}
