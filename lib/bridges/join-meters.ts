import { metrics } from '@opentelemetry/api'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import type { MetricProducer } from '@opentelemetry/sdk-metrics'
import type { Registry } from '../series/registry.ts'
import { MeterBridge } from './meter-bridge.ts'
import { MeterSource } from './meter-source.ts'

/**
 * Shows what is recorded through OpenTelemetry's API: by the bridge that is part of the application's own SDK, or by a
 * MeterProvider of ours where the process has none. Returns how to part again.
 */
export function joinMeters (meters: boolean | MeterBridge, registry: Registry, createProducer: () => MetricProducer, warn: (message: string) => void): () => void {
  if (meters === false) return () => {}
  if (meters !== true) {
    meters.connect(createProducer())
    return registry.addSource(new MeterSource(meters.reader, registry, warn))
  }
  const bridge = new MeterBridge()
  const provider = new MeterProvider({ readers: [bridge.reader] })
  if (!metrics.setGlobalMeterProvider(provider)) return () => {}
  const part = registry.addSource(new MeterSource(bridge.reader, registry, warn))
  return () => {
    part()
    metrics.disable()
  }
}
