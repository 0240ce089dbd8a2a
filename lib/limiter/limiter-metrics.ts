import type { Counter } from '../series/counter.ts'
import type { Histogram } from '../series/histogram.ts'
import type { Registry } from '../series/registry.ts'

/** Bounds for checks and store calls, in seconds: from a map in memory (10 µs) to a Redis that does not answer. */
export const CHECK_BUCKETS: readonly number[] = Object.freeze([0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1])

/** Bounds for requests or tokens that are left. */
export const LEFT_BUCKETS: readonly number[] = Object.freeze([0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 10_000])

/** Bounds for the used share of a quota; what is above 0.99 has used it up. */
export const USAGE_BUCKETS: readonly number[] = Object.freeze([0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 0.95, 0.99, 1])

/** The rate-limiter set: its names, types, labels and units are a contract. */
export class LimiterMetrics {
  readonly requests: Counter<string>
  readonly allowed: Counter<string>
  readonly rejected: Counter<string>
  readonly bypassed: Counter<string>
  readonly errors: Counter<string>
  readonly checkDuration: Histogram<string>
  readonly storeDuration: Histogram<string>
  readonly remaining: Histogram<string>
  readonly quotaUsage: Histogram<string>
  readonly tokens: Histogram<string>
  readonly #registry: Registry

  /** `extraLabels` are the application's own, on allowed and rejected. */
  constructor (registry: Registry, extraLabels: readonly string[]) {
    const allowHighCardinality = true
    this.#registry = registry
    this.requests = registry.counter({
      name: 'rate_limit_requests_total',
      help: 'Checks of a rate limiter: allowed, rejected, bypassed and failed ones.',
      labels: ['endpoint', 'authenticated', 'algorithm'],
      allowHighCardinality,
      otlp: { name: 'rate_limit.requests.total', unit: '{request}', isInteger: true }
    })
    this.allowed = registry.counter({
      name: 'rate_limit_allowed_total',
      help: 'Requests within their quota.',
      labels: ['endpoint', 'group', ...extraLabels],
      allowHighCardinality,
      otlp: { name: 'rate_limit.allowed.total', unit: '{request}', isInteger: true }
    })
    this.rejected = registry.counter({
      name: 'rate_limit_rejected_total',
      help: 'Requests refused, by reason: exceeded, banned.',
      labels: ['endpoint', 'group', 'reason', ...extraLabels],
      allowHighCardinality,
      otlp: { name: 'rate_limit.rejected.total', unit: '{request}', isInteger: true }
    })
    this.bypassed = registry.counter({
      name: 'rate_limit_bypass_total',
      help: 'Requests that were on the allow list.',
      labels: ['endpoint'],
      allowHighCardinality,
      otlp: { name: 'rate_limit.bypass.total', unit: '{request}', isInteger: true }
    })
    this.errors = registry.counter({
      name: 'rate_limit_errors_total',
      help: 'Checks that came to no decision because the store or a function of the limiter failed, skipped or not.',
      labels: ['endpoint', 'error_type'],
      allowHighCardinality,
      otlp: { name: 'rate_limit.errors.total', unit: '{error}', isInteger: true }
    })
    this.checkDuration = registry.histogram({
      name: 'rate_limit_check_duration_seconds',
      help: 'Time that a check took, its store included.',
      labels: ['endpoint', 'authenticated'],
      unit: 'seconds',
      buckets: CHECK_BUCKETS,
      allowHighCardinality,
      otlp: { name: 'rate_limit.check.duration', unit: 's' }
    })
    this.storeDuration = registry.histogram({
      name: 'rate_limit_store_duration_seconds',
      help: 'Time that a store took to count or to read.',
      labels: ['store', 'operation'],
      unit: 'seconds',
      buckets: CHECK_BUCKETS,
      allowHighCardinality,
      otlp: { name: 'rate_limit.redis.duration', unit: 's' }
    })
    this.remaining = registry.histogram({
      name: 'rate_limit_remaining',
      help: 'Requests left in the window after a check.',
      labels: ['endpoint'],
      buckets: LEFT_BUCKETS,
      allowHighCardinality,
      otlp: { name: 'rate_limit.remaining', unit: '{request}' }
    })
    this.quotaUsage = registry.histogram({
      name: 'rate_limit_quota_usage_ratio',
      help: 'Share of the quota that was used after a check, 0 to 1.',
      labels: ['endpoint'],
      unit: 'ratio',
      buckets: USAGE_BUCKETS,
      allowHighCardinality,
      otlp: { name: 'rate_limit.quota.usage', unit: '1' }
    })
    this.tokens = registry.histogram({
      name: 'rate_limit_tokens',
      help: 'Tokens left in the bucket after a check of a token-bucket limiter.',
      labels: ['endpoint'],
      buckets: LEFT_BUCKETS,
      allowHighCardinality,
      otlp: { name: 'rate_limit.token_bucket.tokens', unit: '{token}' }
    })
  }

  /** The store that they are in. */
  get registry (): Registry {
    return this.#registry
  }
}
