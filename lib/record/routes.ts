import type { FastifyRequest } from 'fastify'
import type { RouteConfig } from '../options.ts'
import { resolveRouteConfig } from './route-config.ts'
import type { RowOptions } from './endpoint-rows.ts'
import { EndpointRows } from './endpoint-rows.ts'
import type { HttpMetrics } from './http-metrics.ts'

/** Endpoint label of requests that no route took. */
export const UNMATCHED = 'unmatched'

/** Endpoint label of bytes that were no HTTP request. */
export const MALFORMED = 'malformed'

/** What Fastify keeps for a route, as far as it is needed here. */
interface RouteFacts {
  readonly config: object
}

/** Rows without wishes of their own. */
const PLAIN: RowOptions = Object.freeze({ labels: {}, durationBuckets: undefined, sizeBuckets: undefined })

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
  /**
   * The property under which Fastify's request keeps its route: `request.routeOptions` is public, but builds an object
   * of a dozen fields on each access.
   */
  #contextKey: symbol | undefined
  #isKeyKnown = false

  constructor (metrics: HttpMetrics, ignore: readonly (string | RegExp)[], warn: (message: string) => void) {
    this.#metrics = metrics
    this.#ignore = ignore
    this.#warn = warn
    this.unmatched = new EndpointRows(metrics, UNMATCHED, PLAIN, [])
    this.malformed = new EndpointRows(metrics, MALFORMED, PLAIN, [])
  }

  /** The rows for the route of a request as it is now; `null` if the route is not counted. */
  of (request: FastifyRequest): EndpointRows | null {
    const { config } = this.#factsOf(request)
    const rows = (config as RowsHolder)[kRows]
    return rows === undefined ? this.#define(request, config) : rows
  }

  /** Checks the configuration of a route while it is declared, so that a mistake stops the start and not a request. */
  check (route: { readonly url: string, readonly config?: { readonly vitals?: RouteConfig } }): void {
    resolveRouteConfig(route.url, route.config?.vitals, this.#metrics.labelNames)
  }

  #factsOf (request: FastifyRequest): RouteFacts {
    if (!this.#isKeyKnown) {
      this.#contextKey = Object.getOwnPropertySymbols(request).find(symbol => symbol.description === 'fastify.context')
      this.#isKeyKnown = true
    }
    return (this.#contextKey !== undefined && (request as unknown as Record<symbol, RouteFacts>)[this.#contextKey]) || request.routeOptions
  }

  #define (request: FastifyRequest, config: object): EndpointRows | null {
    const { url, method } = request.routeOptions
    // The config of a 404 handler is the application's own object, which two applications may share.
    if (url === undefined) return this.unmatched
    const rows = this.#rowsOf(url, method, (config as { vitals?: RouteConfig }).vitals)
    Object.defineProperty(config, kRows, { value: rows })
    return rows
  }

  #rowsOf (url: string, method: string | string[] | undefined, routeConfig: RouteConfig | undefined): EndpointRows | null {
    const config = this.#configOf(url, routeConfig)
    if (config === false) return null
    const endpoint = config.endpoint ?? url
    if (this.#ignore.some(ignored => typeof ignored === 'string' ? ignored === endpoint : endpoint.search(ignored) !== -1)) return null
    const methods = typeof method === 'string' ? [method] : method ?? []
    const { labels, buckets } = config
    if (labels === undefined && buckets === undefined) return new EndpointRows(this.#metrics, endpoint, PLAIN, methods)
    return new EndpointRows(this.#metrics, endpoint, { labels: labels ?? {}, durationBuckets: buckets?.duration, sizeBuckets: buckets?.size }, methods)
  }

  /** Routes declared before the plugin were not checked while declared: their mistakes are a warning, and defaults. */
  #configOf (url: string, config: RouteConfig | undefined): RouteConfig {
    try {
      return resolveRouteConfig(url, config, this.#metrics.labelNames)
    } catch (error) {
      this.#warn((error as Error).message)
      return {}
    }
  }
}
