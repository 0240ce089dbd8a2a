import type { FastifyRequest } from 'fastify'
import { RouteConfigs } from '../contexts.ts'
import type { RouteConfig } from '../options.ts'
import type { ResolvedRouteConfig } from './route-config.ts'
import { resolveRouteConfig } from './route-config.ts'
import { EndpointRows, PLAIN_ROWS } from './endpoint-rows.ts'
import type { HttpMetrics } from './http-metrics.ts'

/** Endpoint label of requests that no route took. */
export const UNMATCHED = 'unmatched'

/** Endpoint label of bytes that were no HTTP request. */
export const MALFORMED = 'malformed'

/** Marks the config of a route with its rows; `null` marks a route that is not counted. */
const kRows = Symbol('vitals.rows')

type RowsHolder = { [kRows]?: EndpointRows | null }

/** Finds the rows of the route that a request was sent to. */
export class Routes {
  readonly unmatched: EndpointRows
  readonly malformed: EndpointRows
  readonly #metrics: HttpMetrics
  readonly #ignore: readonly (string | RegExp)[]
  readonly #warn: (message: string) => void
  readonly #configs = new RouteConfigs()

  constructor (metrics: HttpMetrics, ignore: readonly (string | RegExp)[], warn: (message: string) => void) {
    this.#metrics = metrics
    this.#ignore = ignore
    this.#warn = warn
    this.unmatched = new EndpointRows(metrics, UNMATCHED, PLAIN_ROWS, [])
    this.malformed = new EndpointRows(metrics, MALFORMED, PLAIN_ROWS, [])
  }

  /** The rows for the route of a request as it is now; `null` if the route is not counted. */
  of (request: FastifyRequest): EndpointRows | null {
    const config = this.#configs.of(request)
    const rows = (config as RowsHolder)[kRows]
    return rows === undefined ? this.#define(request, config) : rows
  }

  /** Checks the configuration of a route while it is declared, so that a mistake stops the start and not a request. */
  check (route: { readonly url: string, readonly config?: { readonly vitals?: RouteConfig } }): void {
    resolveRouteConfig(route.url, route.config?.vitals, this.#metrics.labelNames)
  }

  #define (request: FastifyRequest, config: object): EndpointRows | null {
    const { url, method } = request.routeOptions
    // The config of a 404 handler is the application's own object, which two applications may share.
    if (url === undefined) return this.unmatched
    const rows = this.#rowsOf(url, method!, (config as { vitals?: RouteConfig }).vitals)
    Object.defineProperty(config, kRows, { value: rows })
    return rows
  }

  #rowsOf (url: string, method: string | string[], routeConfig: RouteConfig | undefined): EndpointRows | null {
    const config = this.#configOf(url, routeConfig)
    if (config === false) return null
    const { endpoint, rows } = config
    if (this.#ignore.some(ignored => typeof ignored === 'string' ? ignored === endpoint : endpoint.search(ignored) !== -1)) return null
    return new EndpointRows(this.#metrics, endpoint, rows, typeof method === 'string' ? [method] : method)
  }

  /** Routes declared before the plugin were not checked while declared: their mistakes are a warning, and defaults. */
  #configOf (url: string, config: RouteConfig | undefined): ResolvedRouteConfig | false {
    try {
      return resolveRouteConfig(url, config, this.#metrics.labelNames)
    } catch (error) {
      this.#warn((error as Error).message)
      return { endpoint: url, rows: PLAIN_ROWS }
    }
  }
}
