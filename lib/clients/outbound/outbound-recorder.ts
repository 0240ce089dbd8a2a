import { thrown } from '../../errors.ts'
import type { Registry } from '../../series/registry.ts'
import type { Traces } from '../../series/traces.ts'
import { TraceAsker } from '../../series/traces.ts'
import type { MethodRows } from './host-rows.ts'
import { HostRows } from './host-rows.ts'
import { OutboundMetrics } from './outbound-metrics.ts'
import { OutboundRequest } from './outbound-request.ts'
import { Schemes } from './schemes.ts'

/** How many hosts are looked up without work. Others are served all the same. */
const MOST_HOSTS = 1_000

/** The `host` of a request whose target is no URL. */
const OTHER_HOST = 'other'

/** Counts outbound requests into one store, whichever client makes them. */
export class OutboundRecorder {
  readonly metrics: OutboundMetrics
  readonly #schemes: Schemes
  readonly #traces: TraceAsker | undefined
  /** By origin, as the client writes it. */
  readonly #hosts = new Map<string, HostRows>()
  /** What was asked for last, which most requests ask for again. */
  #last: { readonly origin: string, readonly method: string, readonly rows: MethodRows } | undefined

  constructor (registry: Registry, traces: Traces | undefined) {
    this.#schemes = new Schemes(registry.limits.seriesPerMetric)
    this.metrics = new OutboundMetrics(registry, this.#schemes)
    this.#traces = traces && new TraceAsker(traces)
  }

  /** A request was created; `origin` is a URL of which only scheme, host and port are looked at. */
  begin (origin: string, method: string): OutboundRequest {
    const last = this.#last
    const rows = last !== undefined && last.origin === origin && last.method === method ? last.rows : this.#rowsOf(origin, method)
    return new OutboundRequest(rows, this.#traces)
  }

  /** Nothing more will be seen: the gauges go back to rest. */
  close (): void {
    for (const rows of this.#hosts.values()) rows.abandon()
  }

  /**
   * `handler` as a listener that never throws: see {@link unreadable}. Listeners on the hot path have a `try` of their own,
   * since the call in here, which is everybody's, cannot be inlined.
   */
  guard<H extends (first: never, second: never) => void> (handler: H): H {
    const recorder = this
    function guarded (first: never, second: never): void {
      try {
        handler(first, second)
      } catch (error) {
        recorder.unreadable(error)
      }
    }
    return guarded as H
  }

  /** What a listener threw that could not read what it was told: counted, and logged once. */
  unreadable (error: unknown): void {
    this.metrics.duration.fault('value', `an outbound request could not be read: ${thrown(error)}`)
  }

  #rowsOf (origin: string, method: string): MethodRows {
    const rows = (this.#hosts.get(origin) ?? this.#add(origin)).of(method)
    this.#last = { origin, method, rows }
    return rows
  }

  #add (origin: string): HostRows {
    if (this.#hosts.size >= MOST_HOSTS) {
      for (const [known, rows] of this.#hosts) if (rows.inFlight === 0) this.#hosts.delete(known)
    }
    const rows = new HostRows(this.metrics, this.#toHost(origin))
    this.#hosts.set(origin, rows)
    return rows
  }

  /** Lower case, with a port only where it is not the scheme's. */
  #toHost (origin: string): string {
    if (!URL.canParse(origin)) return OTHER_HOST
    const { host, protocol } = new URL(origin)
    this.#schemes.note(host, protocol)
    return host
  }
}
