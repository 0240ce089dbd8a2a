import type { Batch } from '../series/batch.ts'
import type { CounterSeries } from '../series/counter.ts'
import type { HistogramSeries } from '../series/histogram.ts'
import type { LimiterMetrics } from './limiter-metrics.ts'

/** Why a request was refused. */
export type RejectionReason = 'exceeded' | 'banned'

/** Values for the application's own labels, in their order. */
export type ExtraLabels = Readonly<Record<string, string>> | undefined

/** The series of one algorithm and endpoint, for clients that said who they are and those that did not. */
interface AuthenticatedRows {
  readonly requests: CounterSeries
  readonly duration: HistogramSeries
}

/** The series of one endpoint and group: bound on first use, then plain additions. */
export class CheckRows {
  readonly #metrics: LimiterMetrics
  readonly #endpoint: string
  readonly #group: string
  readonly #algorithm: string
  readonly #passed: Batch
  #known: AuthenticatedRows | undefined
  #unknown: AuthenticatedRows | undefined
  #allowed: CounterSeries | undefined
  #exceeded: CounterSeries | undefined
  #banned: CounterSeries | undefined
  #bypassed: CounterSeries | undefined
  #remaining: HistogramSeries | undefined
  #quotaUsage: HistogramSeries | undefined
  #tokens: HistogramSeries | undefined

  constructor (metrics: LimiterMetrics, endpoint: string, group: string, algorithm: string) {
    this.#metrics = metrics
    this.#endpoint = endpoint
    this.#group = group
    this.#algorithm = algorithm
    this.#passed = metrics.registry.batch(4, (cells, at) => { this.#pass(cells[at] === 1, cells[at + 1]!, cells[at + 2]!, cells[at + 3]!) })
  }

  /** A check allowed a request: {@link check}, {@link allowed} and {@link left} in one, and many at a time. */
  pass (isAuthenticated: boolean, seconds: number, remaining: number, limit: number): void {
    const at = this.#passed.next()
    if (at < 0) return this.#pass(isAuthenticated, seconds, remaining, limit)
    const { cells } = this.#passed
    cells[at] = isAuthenticated ? 1 : 0
    cells[at + 1] = seconds
    cells[at + 2] = remaining
    cells[at + 3] = limit
  }

  /** A check came to its end, whatever it decided; `seconds` is undefined where nobody measured. */
  check (isAuthenticated: boolean, seconds: number | undefined): void {
    const rows = isAuthenticated ? this.#known ??= this.#rowsOf('true') : this.#unknown ??= this.#rowsOf('false')
    rows.requests.inc()
    if (seconds !== undefined) rows.duration.observe(seconds)
  }

  allowed (extra: ExtraLabels): void {
    if (extra === undefined) (this.#allowed ??= this.#metrics.allowed.with({ endpoint: this.#endpoint, group: this.#group })).inc()
    else this.#metrics.allowed.inc({ endpoint: this.#endpoint, group: this.#group, ...extra })
  }

  rejected (reason: RejectionReason, extra: ExtraLabels): void {
    if (extra !== undefined) return this.#metrics.rejected.inc({ endpoint: this.#endpoint, group: this.#group, reason, ...extra })
    if (reason === 'banned') (this.#banned ??= this.#rejections(reason)).inc()
    else (this.#exceeded ??= this.#rejections(reason)).inc()
  }

  bypassed (): void {
    (this.#bypassed ??= this.#metrics.bypassed.with({ endpoint: this.#endpoint })).inc()
  }

  failed (errorType: string): void {
    this.#metrics.errors.inc({ endpoint: this.#endpoint, error_type: errorType })
  }

  /** What is left of a quota after a check. */
  left (remaining: number, limit: number | undefined): void {
    (this.#remaining ??= this.#metrics.remaining.with({ endpoint: this.#endpoint })).observe(remaining)
    if (limit === undefined) return
    const used = limit > 0 ? Math.min(1, Math.max(0, (limit - remaining) / limit)) : 1;
    (this.#quotaUsage ??= this.#metrics.quotaUsage.with({ endpoint: this.#endpoint })).observe(used)
  }

  tokens (left: number): void {
    (this.#tokens ??= this.#metrics.tokens.with({ endpoint: this.#endpoint })).observe(left)
  }

  #pass (isAuthenticated: boolean, seconds: number, remaining: number, limit: number): void {
    this.check(isAuthenticated, seconds)
    this.allowed(undefined)
    this.left(remaining, limit)
  }

  #rowsOf (authenticated: string): AuthenticatedRows {
    return {
      requests: this.#metrics.requests.with({ endpoint: this.#endpoint, authenticated, algorithm: this.#algorithm }),
      duration: this.#metrics.checkDuration.with({ endpoint: this.#endpoint, authenticated })
    }
  }

  #rejections (reason: RejectionReason): CounterSeries {
    return this.#metrics.rejected.with({ endpoint: this.#endpoint, group: this.#group, reason })
  }
}
