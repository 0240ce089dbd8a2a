import type { FastifyRequest } from 'fastify'
import { RouteConfigs } from '../contexts.ts'
import { shown } from '../errors.ts'
import type { ResolvedLimiter } from '../options.ts'
import type { ExtraLabels, RejectionReason } from './check-rows.ts'
import { CheckRows } from './check-rows.ts'
import { errorTypeOf } from './error-type.ts'
import type { LimiterMetrics } from './limiter-metrics.ts'

/** What @fastify/rate-limit does: it counts within a window that begins with a client's first request. */
export const FIXED_WINDOW = 'fixed-window'

/** The endpoint label of a request, as the HTTP set has it; `undefined` where the route is not counted. */
export type EndpointOf = (request: FastifyRequest) => string | undefined

/** A route's config, as far as it concerns limiters. */
interface LimitedConfig {
  readonly rateLimit?: { readonly groupId?: unknown } | boolean | null
}

/** Records what became of a request's check: the hot path of limited routes, measured in bench. Nothing here throws. */
export class CheckRecorder {
  readonly metrics: LimiterMetrics
  readonly #options: ResolvedLimiter
  readonly #endpointOf: EndpointOf
  readonly #rows = new WeakMap<object, CheckRows | null>()
  /** The config of the last request, mostly that of the next, and its rows. */
  #lastConfig: object | null = null
  #lastRows: CheckRows | null = null
  readonly #configs = new RouteConfigs()

  constructor (metrics: LimiterMetrics, options: ResolvedLimiter, endpointOf: EndpointOf) {
    this.metrics = metrics
    this.#options = options
    this.#endpointOf = endpointOf
  }

  allowed (request: FastifyRequest, seconds: number | undefined, remaining: number | undefined, limit: number | undefined): void {
    const rows = this.rowsOf(request)
    if (rows === null) return
    const isAuthenticated = this.isAuthenticated(request)
    // A function of the application's may give a limit that is no number, or none.
    const isLimited = Number.isFinite(remaining)
    if (isLimited && this.#options.labels === undefined && seconds !== undefined && limit !== undefined) return rows.pass(isAuthenticated, seconds, remaining!, limit)
    rows.check(isAuthenticated, seconds)
    rows.allowed(this.extraOf(request))
    if (isLimited) rows.left(remaining!, limit)
  }

  rejected (request: FastifyRequest, seconds: number | undefined, reason: RejectionReason, limit: number | undefined): void {
    const rows = this.rowsOf(request)
    if (rows === null) return
    rows.check(this.isAuthenticated(request), seconds)
    rows.rejected(reason, this.extraOf(request))
    rows.left(0, limit ?? 0)
  }

  bypassed (request: FastifyRequest, seconds: number | undefined): void {
    const rows = this.rowsOf(request)
    if (rows === null) return
    rows.check(this.isAuthenticated(request), seconds)
    rows.bypassed()
  }

  failed (request: FastifyRequest, seconds: number | undefined, error: unknown): void {
    const rows = this.rowsOf(request)
    if (rows === null) return
    rows.check(this.isAuthenticated(request), seconds)
    rows.failed(errorTypeOf(error))
  }

  /** The rows of the route that a request is on now; `null` if the route is not counted, or the application has checked what is no request. */
  rowsOf (request: FastifyRequest): CheckRows | null {
    try {
      const config = this.#configs.of(request)
      return config === this.#lastConfig ? this.#lastRows : this.#findRows(request, config)
    } catch {
      this.metrics.requests.fault('value', `a rate limit must be checked for a request of Fastify's, got: ${shown(request)}`)
      return null
    }
  }

  #findRows (request: FastifyRequest, config: object): CheckRows | null {
    let rows = this.#rows.get(config)
    if (rows === undefined) {
      const place = this.placeOf(request)
      rows = place === null ? null : new CheckRows(this.metrics, place.endpoint, place.group, FIXED_WINDOW)
      this.#rows.set(config, rows)
    }
    this.#lastConfig = config
    this.#lastRows = rows
    return rows
  }

  /** The endpoint and group labels of a request; `null` if its route is not counted. */
  placeOf (request: FastifyRequest): { readonly endpoint: string, readonly group: string } | null {
    const endpoint = this.#endpointOf(request)
    return endpoint === undefined ? null : { endpoint, group: groupOf(this.#configs.of(request)) }
  }

  /** The application's own labels where there is no request to take them from. */
  get noLabels (): ExtraLabels {
    return this.#options.labels === undefined ? undefined : {}
  }

  isAuthenticated (request: FastifyRequest): boolean {
    const { authenticated } = this.#options
    if (authenticated === undefined) return (request as Partial<FastifyRequest>).headers?.authorization !== undefined
    try {
      return Boolean(atOnce(authenticated(request)))
    } catch (error) {
      this.metrics.requests.fault('label value', `limiter.authenticated() must answer at once and not throw, got: ${messageOf(error)}`)
      return false
    }
  }

  extraOf (request: FastifyRequest): ExtraLabels {
    const { labels } = this.#options
    if (labels === undefined) return undefined
    try {
      return { ...atOnce(labels.values(request)) }
    } catch (error) {
      this.metrics.allowed.fault('label value', `limiter.labels.values() must answer at once and not throw, got: ${messageOf(error)}`)
      return {}
    }
  }
}

function groupOf (config: object): string {
  const { rateLimit } = config as LimitedConfig
  const group = typeof rateLimit === 'object' ? rateLimit?.groupId : undefined
  return typeof group === 'string' ? group : ''
}

/** What comes later is of no use; that it fails is nobody's business. */
function atOnce<T> (answer: T): T {
  if (!(answer instanceof Promise)) return answer
  answer.catch(() => {})
  throw new TypeError('a promise')
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : shown(error)
}
