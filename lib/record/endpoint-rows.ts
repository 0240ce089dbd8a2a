import type { CounterSeries } from '../series/counter.ts'
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

/** Methods that are label values; every other is `_OTHER` (OpenTelemetry semantic conventions, http.request.method). */
const KNOWN_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'])

export const OTHER_METHOD = '_OTHER'

/** The series of one method at one endpoint: resolved once, then plain additions. */
export class MethodRows {
  readonly inProgress: GaugeSeries
  readonly #metrics: HttpMetrics
  readonly #method: string
  readonly #endpoint: string
  readonly #options: RowOptions
  readonly #requestSize: HistogramSeries
  readonly #responseSize: HistogramSeries
  readonly #durations = new Map<number, HistogramSeries>()
  readonly #failures = new Map<FailureReason, CounterSeries>()
  /** The status of the last request, mostly that of the next: saves the map. */
  #lastStatus = 0
  #lastDuration: HistogramSeries | undefined

  constructor (metrics: HttpMetrics, method: string, endpoint: string, options: RowOptions) {
    const { labels, sizeBuckets } = options
    this.#metrics = metrics
    this.#method = method
    this.#endpoint = endpoint
    this.#options = options
    this.inProgress = metrics.inProgress.bind([method, endpoint], labels)
    this.#requestSize = metrics.requestSize.bind([method, endpoint], labels, sizeBuckets)
    this.#responseSize = metrics.responseSize.bind([method, endpoint], labels, sizeBuckets)
  }

  /** Records one request: the hot path, measured in bench. */
  record (status: number, seconds: number, requestBytes: number, responseBytes: number): void {
    const duration = status === this.#lastStatus ? this.#lastDuration! : this.#durationOf(status)
    duration.observe(seconds)
    this.#requestSize.observe(requestBytes)
    this.#responseSize.observe(responseBytes)
  }

  fail (reason: FailureReason): void {
    let failures = this.#failures.get(reason)
    if (failures === undefined) {
      failures = this.#metrics.failures.bind([this.#method, this.#endpoint, reason], this.#options.labels)
      this.#failures.set(reason, failures)
    }
    failures.inc()
  }

  #durationOf (status: number): HistogramSeries {
    let duration = this.#durations.get(status)
    if (duration === undefined) {
      duration = this.#metrics.duration.bind([this.#method, this.#endpoint, String(status)], this.#options.labels, this.#options.durationBuckets)
      this.#durations.set(status, duration)
    }
    this.#lastStatus = status
    this.#lastDuration = duration
    return duration
  }
}

/** The series of one endpoint, by method. */
export class EndpointRows {
  readonly endpoint: string
  readonly #metrics: HttpMetrics
  readonly #options: RowOptions
  readonly #known: ReadonlySet<string>
  readonly #methods = new Map<string, MethodRows>()
  #lastMethod = ''
  #last: MethodRows | undefined

  /** `methods` are known beside the standard ones: those the route was declared for. */
  constructor (metrics: HttpMetrics, endpoint: string, options: RowOptions, methods: readonly string[]) {
    this.#metrics = metrics
    this.endpoint = endpoint
    this.#options = options
    this.#known = methods.every(method => KNOWN_METHODS.has(method)) ? KNOWN_METHODS : new Set([...KNOWN_METHODS, ...methods])
  }

  of (method: string): MethodRows {
    return method === this.#lastMethod ? this.#last! : this.#find(method)
  }

  #find (method: string): MethodRows {
    const label = this.#known.has(method) ? method : OTHER_METHOD
    let rows = this.#methods.get(label)
    if (rows === undefined) this.#methods.set(label, rows = new MethodRows(this.#metrics, label, this.endpoint, this.#options))
    this.#lastMethod = method
    this.#last = rows
    return rows
  }
}
