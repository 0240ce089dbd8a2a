import { resourceFromAttributes } from '@opentelemetry/resources'
import { AggregationTemporality, MetricReader } from '@opentelemetry/sdk-metrics'
import type { CollectionResult, MetricProducer } from '@opentelemetry/sdk-metrics'

/** Most label sets of one instrument between two collections; the store's own limit holds for ever. */
const LABEL_SETS_PER_COLLECTION = 2_001

/** Reads meters on demand. What was read once is the store's to keep: the SDK holds one interval at the most. */
class MeterReader extends MetricReader {
  constructor () {
    super({
      aggregationTemporalitySelector: () => AggregationTemporality.DELTA,
      cardinalitySelector: () => LABEL_SETS_PER_COLLECTION
    })
  }

  protected async onForceFlush (): Promise<void> {}

  protected async onShutdown (): Promise<void> {}
}

/** Hands on to a producer that is only known once the application is built. */
class LateProducer implements MetricProducer {
  source: MetricProducer | undefined

  async collect (): Promise<CollectionResult> {
    return await this.source?.collect() ?? { resourceMetrics: { resource: resourceFromAttributes({}), scopeMetrics: [] }, errors: [] }
  }
}

/**
 * The two parts by which an OpenTelemetry SDK of the application's own and this plugin show each other's metrics: put
 * `reader` among the SDK's metric readers, and `producer` among the `metricProducers` of the reader that it pushes with.
 */
export class MeterBridge {
  /** Lets `/v1/metrics` show what the application records through OpenTelemetry. */
  readonly reader: MetricReader = new MeterReader()
  readonly #producer = new LateProducer()

  /** Lets the application's SDK push what this plugin records. */
  get producer (): MetricProducer {
    return this.#producer
  }

  /** Tells the producer where its metrics come from; the plugin does. */
  connect (source: MetricProducer): void {
    this.#producer.source = source
  }
}
