import type { CollectionResult, MetricProducer, MetricReader } from '@opentelemetry/sdk-metrics'
import { loadResources, loadSdk } from './load-sdk.ts'

/** Most label sets of one instrument between two collections; the store's own limit holds for ever. */
const LABEL_SETS_PER_COLLECTION = 2_001

/** Reads meters on demand. What was read once is the store's to keep: the SDK holds one interval at the most. */
function createReader (): MetricReader {
  const { AggregationTemporality, MetricReader } = loadSdk()
  class MeterReader extends MetricReader {
    protected async onForceFlush (): Promise<void> {}

    protected async onShutdown (): Promise<void> {}
  }
  return new MeterReader({
    aggregationTemporalitySelector: () => AggregationTemporality.DELTA,
    cardinalitySelector: () => LABEL_SETS_PER_COLLECTION
  })
}

/** Hands on to a producer that is only known once the application is built. */
class LateProducer implements MetricProducer {
  source: MetricProducer | undefined

  async collect (): Promise<CollectionResult> {
    return await this.source?.collect() ?? { resourceMetrics: { resource: loadResources().resourceFromAttributes({}), scopeMetrics: [] }, errors: [] }
  }
}

/**
 * The two parts by which an OpenTelemetry SDK of the application's own and this plugin show each other's metrics: put
 * `reader` among the SDK's metric readers, and `producer` among the `metricProducers` of the reader that it pushes with.
 */
export class MeterBridge {
  /** Lets `/v1/metrics` show what the application records through OpenTelemetry. */
  readonly reader: MetricReader = createReader()
  readonly #producer = new LateProducer()
  #isPushed = false

  /** Lets the application's SDK push what this plugin records. */
  get producer (): MetricProducer {
    this.#isPushed = true
    return this.#producer
  }

  /** Whether the producer was asked for: then what the environment says of a receiver is the SDK's business. */
  get isPushed (): boolean {
    return this.#isPushed
  }

  /** Tells the producer where its metrics come from; the plugin does. */
  connect (source: MetricProducer): void {
    this.#producer.source = source
  }
}
