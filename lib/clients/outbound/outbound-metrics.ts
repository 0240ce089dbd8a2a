import type { Gauge } from '../../series/gauge.ts'
import type { Histogram, HistogramDefinition } from '../../series/histogram.ts'
import type { Registry } from '../../series/registry.ts'
import { toOutboundAttributes } from './outbound-attributes.ts'
import type { Schemes } from './schemes.ts'

/** The outbound HTTP set: its names, types, labels and units are a contract. */
export class OutboundMetrics {
  readonly duration: Histogram<string>
  readonly inProgress: Gauge<string>
  /** The store that they are in. */
  readonly registry: Registry
  readonly #errorDefinition: HistogramDefinition<string>
  #errorDuration: Histogram<string> | undefined

  constructor (registry: Registry, schemes: Schemes) {
    const toAttributes = toOutboundAttributes(schemes)
    const labels = ['method', 'host', 'status']
    const otlp = { name: 'http.client.request.duration', unit: 's', toAttributes }
    this.registry = registry
    this.duration = registry.histogram({
      name: 'http_client_request_duration_seconds',
      help: 'Time from the creation of an outbound request to the end of its response\'s body.',
      labels,
      unit: 'seconds',
      otlp
    })
    registry.countOf(this.duration, { name: 'http_client_requests_total', help: 'Outbound requests, each once, whatever its fate.' })
    this.inProgress = registry.gauge({
      name: 'http_client_requests_in_progress',
      help: 'Outbound requests whose response has not ended.',
      labels: ['host'],
      otlp: { name: 'http.client.active_requests', unit: '{request}', isUpDown: true, isInteger: true, toAttributes }
    })
    this.#errorDefinition = {
      name: 'http_client_request_error_duration_seconds',
      help: 'Time of failed outbound requests, by error.',
      labels: [...labels, 'error_type'],
      unit: 'seconds',
      otlp: { ...otlp, splits: { metric: 'http_client_request_duration_seconds', label: 'error_type' } }
    }
  }

  /** Durations of failed requests once more, by error; `undefined` where no way out shows them. */
  get errorDuration (): Histogram<string> | undefined {
    return this.#errorDuration
  }

  /** Keeps durations by error from now on, which OpenTelemetry wants as `error.type`. */
  keepErrorTypes (): void {
    this.#errorDuration ??= this.registry.hiddenHistogram(this.#errorDefinition)
  }
}
