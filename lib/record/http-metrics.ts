import type { Counter } from '../series/counter.ts'
import type { Gauge } from '../series/gauge.ts'
import type { Histogram } from '../series/histogram.ts'
import type { Registry } from '../series/registry.ts'

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

/** The HTTP server set: its names, types, labels and units are a contract. */
export class HttpMetrics {
  readonly duration: Histogram<string>
  readonly requestSize: Histogram<string>
  readonly responseSize: Histogram<string>
  readonly inProgress: Gauge<string>
  readonly failures: Counter<string>
  /** The labels that the set and the store use themselves: no route may give them another meaning. */
  readonly labelNames: readonly string[]

  constructor (registry: Registry, labels: HttpLabelNames, buckets: HttpBuckets) {
    const { method, endpoint, status, reason } = labels
    this.labelNames = [method, endpoint, status, reason, ...Object.keys(registry.constantLabels)]
    this.duration = registry.histogram({
      name: 'http_request_duration_seconds',
      help: 'Time from the arrival of a request to the end of its answer.',
      labels: [method, endpoint, status],
      unit: 'seconds',
      buckets: buckets.duration,
      allowHighCardinality: true
    })
    registry.countOf(this.duration, { name: 'http_requests_total', help: 'Requests that reached the server, each once, whatever its fate.' })
    this.requestSize = registry.histogram({
      name: 'http_request_size_bytes',
      help: 'Bytes of request body.',
      labels: [method, endpoint],
      unit: 'bytes',
      buckets: buckets.size,
      allowHighCardinality: true
    })
    this.responseSize = registry.histogram({
      name: 'http_response_size_bytes',
      help: 'Bytes of response body sent.',
      labels: [method, endpoint],
      unit: 'bytes',
      buckets: buckets.size,
      allowHighCardinality: true
    })
    this.inProgress = registry.gauge({
      name: 'http_requests_in_progress',
      help: 'Requests being answered now.',
      labels: [method, endpoint],
      allowHighCardinality: true
    })
    this.failures = registry.counter({
      name: 'http_request_failures_total',
      help: 'Requests that failed, by reason: client_abort, stream_error, timeout, handler_error, parse_error.',
      labels: [method, endpoint, reason],
      allowHighCardinality: true
    })
  }
}
