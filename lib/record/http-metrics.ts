import type { Counter } from '../series/counter.ts'
import type { Gauge } from '../series/gauge.ts'
import type { Histogram } from '../series/histogram.ts'
import type { Registry } from '../series/registry.ts'
import { toHttpAttributes } from './http-attributes.ts'

/** Bounds for body sizes, in bytes. */
export const SIZE_BUCKETS: readonly number[] = Object.freeze([100, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 1_000_000])

/** Why a request failed, beyond what its status says. */
export type FailureReason = 'client_abort' | 'stream_error' | 'timeout' | 'handler_error' | 'parse_error'

/** Names of the labels of the HTTP set, for users with dashboards of another tool. */
export interface HttpLabelNames {
  /** @default 'method' */
  readonly method: string
  /** @default 'endpoint' */
  readonly endpoint: string
  /** @default 'status' */
  readonly status: string
  /** @default 'reason' */
  readonly reason: string
}

/** Bounds of the HTTP histograms. */
export interface HttpBuckets {
  /** Seconds. @default 0.001 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 */
  readonly duration: readonly number[]
  /** Bytes. @default 100 500 1000 5000 10000 50000 100000 1000000 */
  readonly size: readonly number[]
}

/** What differs with the ways out that are on. */
export interface HttpTelemetry {
  /** `url.scheme` of what is pushed. */
  readonly scheme: 'http' | 'https'
  /** Whether durations are kept by failure reason too, which OpenTelemetry wants as `error.type`. */
  readonly withErrorTypes: boolean
}

/** The HTTP server set: its names, types, labels and units are a contract. */
export class HttpMetrics {
  readonly duration: Histogram<string>
  /** Durations of failed requests once more, by reason; `undefined` where no way out shows them. */
  readonly failureDuration: Histogram<string> | undefined
  readonly requestSize: Histogram<string>
  readonly responseSize: Histogram<string>
  readonly inProgress: Gauge<string>
  readonly failures: Counter<string>
  /** The labels that the set and the store use themselves: no route may give them another meaning. */
  readonly labelNames: readonly string[]

  constructor (registry: Registry, labels: HttpLabelNames, buckets: HttpBuckets, { scheme, withErrorTypes }: HttpTelemetry) {
    const { method, endpoint, status, reason } = labels
    const toAttributes = toHttpAttributes(labels, scheme)
    this.labelNames = [method, endpoint, status, reason, ...Object.keys(registry.constantLabels)]
    this.duration = registry.histogram({
      name: 'http_request_duration_seconds',
      help: 'Time from the arrival of a request to the end of its answer.',
      labels: [method, endpoint, status],
      unit: 'seconds',
      buckets: buckets.duration,
      allowHighCardinality: true,
      otlp: { name: 'http.server.request.duration', unit: 's', toAttributes }
    })
    this.failureDuration = withErrorTypes
      ? registry.hiddenHistogram({
        name: 'http_request_failure_duration_seconds',
        help: 'Time of failed requests, by reason.',
        labels: [method, endpoint, status, reason],
        unit: 'seconds',
        buckets: buckets.duration,
        allowHighCardinality: true,
        otlp: { name: 'http.server.request.duration', unit: 's', toAttributes, splits: { metric: 'http_request_duration_seconds', label: reason } }
      })
      : undefined
    registry.countOf(this.duration, { name: 'http_requests_total', help: 'Requests that reached the server, each once, whatever its fate.' })
    this.requestSize = registry.histogram({
      name: 'http_request_size_bytes',
      help: 'Bytes of request body.',
      labels: [method, endpoint],
      unit: 'bytes',
      buckets: buckets.size,
      allowHighCardinality: true,
      otlp: { name: 'http.server.request.body.size', unit: 'By', toAttributes }
    })
    this.responseSize = registry.histogram({
      name: 'http_response_size_bytes',
      help: 'Bytes of response body sent.',
      labels: [method, endpoint],
      unit: 'bytes',
      buckets: buckets.size,
      allowHighCardinality: true,
      otlp: { name: 'http.server.response.body.size', unit: 'By', toAttributes }
    })
    this.inProgress = registry.gauge({
      name: 'http_requests_in_progress',
      help: 'Requests being answered now.',
      labels: [method, endpoint],
      allowHighCardinality: true,
      otlp: { name: 'http.server.active_requests', unit: '{request}', isUpDown: true, isInteger: true, toAttributes }
    })
    this.failures = registry.counter({
      name: 'http_request_failures_total',
      help: 'Requests that failed, by reason: client_abort, stream_error, timeout, handler_error, parse_error.',
      labels: [method, endpoint, reason],
      allowHighCardinality: true,
      // Pushed as the error.type of the duration.
      otlp: false
    })
  }
}
