import type { Batch } from '../series/batch.ts'
import type { HistogramSeries } from '../series/histogram.ts'
import type { LimiterMetrics } from './limiter-metrics.ts'

export type StoreCallback = (error: unknown, result?: unknown) => void
export type Call = (this: unknown, key: unknown, callback: StoreCallback, timeWindow?: unknown, max?: unknown) => unknown
export type Child = (this: unknown, ...args: unknown[]) => unknown

/** A store of @fastify/rate-limit, of its own or the application's. */
export interface Store {
  incr?: Call
  read?: Call
  child?: Child
}

/** Which kind of store: the label `store`. */
export type StoreKind = 'local' | 'redis' | 'custom'

/** What a limiter asks of its store. */
export type StoreOperation = 'incr' | 'read'

/** The properties of @fastify/rate-limit's own stores (10 and 11); names of classes do not survive a minifier. */
const KIND_OF: Readonly<Record<string, StoreKind>> = {
  'continueExceeding,exponentialBackoff,lru': 'local',
  'continueExceeding,exponentialBackoff,redis,key': 'redis'
}

export function kindOf (store: Store): StoreKind {
  return KIND_OF[Object.keys(store).join()] ?? 'custom'
}

/** How long the stores of one kind take. */
export class StoreTimes {
  readonly #metrics: LimiterMetrics
  readonly #kind: StoreKind
  readonly #series: Partial<Record<StoreOperation, HistogramSeries>> = {}
  readonly #counted: Batch

  constructor (metrics: LimiterMetrics, kind: StoreKind) {
    this.#metrics = metrics
    this.#kind = kind
    this.#counted = metrics.registry.batch(1, (cells, at) => { this.#incr(cells[at]!) })
  }

  incr (seconds: number): void {
    const at = this.#counted.next()
    if (at < 0) this.#incr(seconds)
    else this.#counted.cells[at] = seconds
  }

  read (seconds: number): void {
    (this.#series.read ??= this.#bind('read')).observe(seconds)
  }

  #incr (seconds: number): void {
    (this.#series.incr ??= this.#bind('incr')).observe(seconds)
  }

  #bind (operation: StoreOperation): HistogramSeries {
    return this.#metrics.storeDuration.with({ store: this.#kind, operation })
  }
}
