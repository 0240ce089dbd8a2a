import type { FastifyInstance } from 'fastify'
import { isLimiterMark } from './limiter-marks.ts'
import type { RouteHook } from './open-limiter.ts'

/** What a limiter puts on its instance, where nobody has put anything of that name before. */
export const DECORATORS = ['createRateLimit', 'rateLimit'] as const
export type DecoratorName = (typeof DECORATORS)[number]

/** Told of a limiter; gives the hook that is to be added in place of its own. */
export type OnLimiter = (context: FastifyInstance, routeHook: RouteHook, decorators: readonly DecoratorName[]) => RouteHook

/**
 * Calls back for every @fastify/rate-limit that is registered from now on, however deep. It decorates requests with its
 * mark, then the instance, then adds its route hook, all in one go: so the root's `decorateRequest` and `addHook`, which
 * all contexts inherit, see it come. Returns what ends it.
 */
export function watchComingLimiters (root: FastifyInstance, onLimiter: OnLimiter): () => void {
  const { addHook, decorateRequest } = root as unknown as Record<'addHook' | 'decorateRequest', (this: FastifyInstance, ...args: unknown[]) => FastifyInstance>
  let coming: { readonly context: FastifyInstance, readonly had: readonly DecoratorName[] } | undefined
  const wrapped = {
    decorateRequest (this: FastifyInstance, ...args: unknown[]) {
      const [name] = args
      if (isLimiterMark(name)) {
        coming = { context: this, had: DECORATORS.filter(decorator => this.hasDecorator(decorator)) }
        queueMicrotask(() => { coming = undefined })
      }
      return decorateRequest.apply(this, args)
    },
    addHook (this: FastifyInstance, ...args: unknown[]) {
      const [name, hook] = args
      if (name !== 'onRoute' || coming?.context !== this) return addHook.apply(this, args)
      const { had } = coming
      coming = undefined
      return addHook.call(this, name, onLimiter(this, hook as RouteHook, DECORATORS.filter(decorator => this.hasDecorator(decorator) && !had.includes(decorator))))
    }
  }
  const original = { addHook, decorateRequest }
  Object.assign(root, wrapped)
  return () => {
    // Somebody else may have wrapped them since.
    for (const name of ['addHook', 'decorateRequest'] as const) {
      if (root[name] as unknown === wrapped[name]) Object.assign(root, { [name]: original[name] })
    }
  }
}
