import type { FastifyInstance } from 'fastify'
import { contextsOf, requestPropertiesOf } from '../contexts.ts'

/** Whether it is what a limiter marks the requests with on which it has decided: each has a symbol of its own. */
export function isLimiterMark (name: unknown): name is symbol {
  return typeof name === 'symbol' && name.description === 'fastify.request.rateLimitRan'
}

/** The marks of all limiters of an application, however they are built: requests are decorated with them. */
export function limiterMarksOf (app: FastifyInstance): Set<symbol> {
  return new Set(contextsOf(app).flatMap(context => requestPropertiesOf(context).filter(isLimiterMark)))
}
