import type { GaugeSeries } from '../series/gauge.ts'
import type { HistogramSeries } from '../series/histogram.ts'
import type { FailureReason, HttpMetrics } from './http-metrics.ts'

/** What one route asks for, beyond the defaults. */
export interface RowOptions {
  /** Labels that all series of the route carry. */
  readonly labels: Readonly<Record<string, string>>
  /** Bounds in seconds. */
  readonly durationBuckets: readonly number[] | undefined
  /** Bounds in bytes. */
  readonly sizeBuckets: readonly number[] | undefined
}

/** Rows of a route without wishes of its own. */
export const PLAIN_ROWS: RowOptions = Object.freeze({ labels: Object.freeze({}), durationBuckets: undefined, sizeBuckets: undefined })

/** Methods that are label values; every other is `_OTHER` (OpenTelemetry semantic conventions, http.request.method). */
const KNOWN_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'])

export const OTHER_METHOD = '_OTHER'

/** The durations of one status, and the next status that was seen: lists are short, and cost no map. */
interface StatusRow {
  readonly status: number
  readonly duration: HistogramSeries
  readonly next: StatusRow | undefined
}

/** The series of one method at one endpoint: resolved once, then plain additions. */
export class MethodRows {
  readonly method: string
  readonly next: MethodRows | undefined
  readonly inProgress: GaugeSeries
  readonly #endpoint: EndpointRows
  readonly #requestSize: HistogramSeries
  readonly #responseSize: HistogramSeries
  #statuses: StatusRow | undefined
  /** The status of the last request, mostly that of the next. */
  #last: StatusRow | undefined

  constructor (endpoint: EndpointRows, method: string, next: MethodRows | undefined) {
    const { metrics, options: { labels, sizeBuckets } } = endpoint
    const values = [method, endpoint.endpoint]
    this.method = method
    this.next = next
    this.#endpoint = endpoint
    this.inProgress = metrics.inProgress.bind(values, labels)
    this.#requestSize = metrics.requestSize.bind(values, labels, sizeBuckets)
    this.#responseSize = metrics.responseSize.bind(values, labels, sizeBuckets)
  }

  /** Records one request: the hot path, measured in bench. */
  record (status: number, seconds: number, requestBytes: number, responseBytes: number): void {
    const row = this.#last
    const { duration } = row !== undefined && row.status === status ? row : this.#rowOf(status)
    duration.observe(seconds)
    this.#requestSize.observe(requestBytes)
    this.#responseSize.observe(responseBytes)
  }

  /** Counts why a request that is recorded failed. */
  fail (reason: FailureReason, status: number, seconds: number): void {
    const { metrics, options, endpoint } = this.#endpoint
    metrics.failures.bind([this.method, endpoint, reason], options.labels).inc()
    metrics.failureDuration?.bind([this.method, endpoint, String(status), reason], options.labels, options.durationBuckets).observe(seconds)
  }

  #rowOf (status: number): StatusRow {
    let row = this.#statuses
    while (row !== undefined && row.status !== status) row = row.next
    if (row === undefined) {
      const { metrics, options, endpoint } = this.#endpoint
      const duration = metrics.duration.bind([this.method, endpoint, String(status)], options.labels, options.durationBuckets)
      this.#statuses = row = { status, duration, next: this.#statuses }
    }
    this.#last = row
    return row
  }
}

/** The series of one endpoint, by method. */
export class EndpointRows {
  readonly metrics: HttpMetrics
  readonly endpoint: string
  readonly options: RowOptions
  readonly #known: ReadonlySet<string>
  #methods: MethodRows | undefined
  /** The method of the last request as it came, and its rows. */
  #lastMethod = ''
  #last: MethodRows | undefined

  /** `methods` are known beside the standard ones: those the route was declared for. */
  constructor (metrics: HttpMetrics, endpoint: string, options: RowOptions, methods: readonly string[]) {
    this.metrics = metrics
    this.endpoint = endpoint
    this.options = options
    this.#known = methods.every(method => KNOWN_METHODS.has(method)) ? KNOWN_METHODS : new Set([...KNOWN_METHODS, ...methods])
  }

  of (method: string): MethodRows {
    return method === this.#lastMethod ? this.#last! : this.#find(method)
  }

  #find (method: string): MethodRows {
    const label = this.#known.has(method) ? method : OTHER_METHOD
    let rows = this.#methods
    while (rows !== undefined && rows.method !== label) rows = rows.next
    if (rows === undefined) this.#methods = rows = new MethodRows(this, label, this.#methods)
    this.#lastMethod = method
    this.#last = rows
    return rows
  }
}
