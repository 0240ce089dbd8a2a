import type { Batch } from '../../series/batch.ts'
import type { GaugeSeries } from '../../series/gauge.ts'
import type { HistogramSeries } from '../../series/histogram.ts'
import type { OutboundMetrics } from './outbound-metrics.ts'

/** Methods that are label values; every other is `_OTHER` (OpenTelemetry semantic conventions, http.request.method). */
const KNOWN_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'])

const OTHER_METHOD = '_OTHER'

/** The `status` of a request that got no response. */
export const NO_RESPONSE = 'error'

/** The series of one host: resolved once, then plain additions. */
export class HostRows {
  /** How many requests raised the gauge and have not ended. */
  inFlight = 0
  /** Nobody looks any more: what ends now is not counted. */
  isAbandoned = false
  readonly #metrics: OutboundMetrics
  readonly #host: string
  #inProgress: GaugeSeries
  readonly #methods = new Map<string, MethodRows>()

  constructor (metrics: OutboundMetrics, host: string) {
    this.#metrics = metrics
    this.#host = host
    this.#inProgress = metrics.inProgress.bind([host])
  }

  of (method: string): MethodRows {
    return this.#methods.get(method) ?? this.#add(method)
  }

  /** One more is under way, until `end` with what this returns. */
  begin (): GaugeSeries {
    this.inFlight++
    this.#inProgress = this.#inProgress.raise()
    return this.#inProgress
  }

  end (raised: GaugeSeries): void {
    this.inFlight--
    raised.lower()
  }

  /** Takes what is under way off the gauge: nobody will see it end. */
  abandon (): void {
    this.isAbandoned = true
    for (let i = 0; i < this.inFlight; i++) this.#inProgress.lower()
  }

  #add (method: string): MethodRows {
    const label = KNOWN_METHODS.has(method) ? method : OTHER_METHOD
    let rows = this.#methods.get(label)
    if (rows === undefined) this.#methods.set(label, rows = new MethodRows(this.#metrics, this, label, this.#host))
    return rows
  }
}

/** The series of one method at one host. */
export class MethodRows {
  readonly host: HostRows
  readonly #metrics: OutboundMetrics
  readonly #labels: readonly [method: string, host: string]
  readonly #durations = new Map<number, HistogramSeries>()
  /** Successes of the status that came first: those of others are rare, and their series begin with them. */
  readonly #noted: Batch
  #usualStatus = -1

  constructor (metrics: OutboundMetrics, host: HostRows, method: string, hostLabel: string) {
    this.host = host
    this.#metrics = metrics
    this.#labels = [method, hostLabel]
    this.#noted = metrics.registry.batch(1, (cells, at) => { this.#observe(this.#usualStatus, cells[at]!) })
  }

  /** Records one that succeeded: the hot path, measured in bench. */
  succeeded (status: number, seconds: number): void {
    if (status !== this.#usualStatus) return this.#begin(status, seconds)
    const noted = this.#noted
    const at = noted.next()
    if (at < 0) this.#observe(status, seconds)
    else noted.cells[at] = seconds
  }

  /** Records one that failed, and why; status 0 stands for no response. */
  failed (status: number, errorType: string, seconds: number): void {
    this.#observe(status, seconds)
    this.#metrics.errorDuration?.bind([...this.#values(status), errorType]).observe(seconds)
  }

  #begin (status: number, seconds: number): void {
    if (this.#usualStatus < 0) this.#usualStatus = status
    this.#observe(status, seconds)
  }

  #observe (status: number, seconds: number): void {
    let duration = this.#durations.get(status)
    if (duration === undefined) this.#durations.set(status, duration = this.#metrics.duration.bind(this.#values(status)))
    duration.observe(seconds)
  }

  #values (status: number): string[] {
    return [...this.#labels, status === 0 ? NO_RESPONSE : String(status)]
  }
}
