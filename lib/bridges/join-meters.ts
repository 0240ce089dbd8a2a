import { metrics } from '@opentelemetry/api'
import type { MetricProducer } from '@opentelemetry/sdk-metrics'
import type { Registry } from '../series/registry.ts'
import { LateMeterProvider } from './late-meter-provider.ts'
import { loadSdk } from './load-sdk.ts'
import { MeterBridge } from './meter-bridge.ts'
import { MeterSource } from './meter-source.ts'

/**
 * Shows what is recorded through OpenTelemetry's API: by the bridge that is part of the application's own SDK, or by a
 * MeterProvider of ours where the process has none. Returns how to part again.
 */
export async function joinMeters (meters: boolean | MeterBridge, registry: Registry, createProducer: () => Promise<MetricProducer>, warn: (message: string) => void): Promise<() => void> {
  if (meters === false) return () => {}
  if (meters !== true) {
    meters.connect(await createProducer())
    return registry.addSource(new MeterSource(meters.reader, registry, warn))
  }
  let part = (): void => {}
  const provider = new LateMeterProvider(() => {
    const { reader } = new MeterBridge()
    const made = new (loadSdk().MeterProvider)({ readers: [reader] })
    part = registry.addSource(new MeterSource(reader, registry, warn))
    return made
  }, error => warn(`OpenTelemetry meters record nothing: ${String(error)}`))
  if (!metrics.setGlobalMeterProvider(provider)) return () => {}
  return () => {
    part()
    provider.close()
    metrics.disable()
  }
}
