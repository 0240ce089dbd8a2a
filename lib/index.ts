import type { RouteConfig } from './options.ts'
import { vitals } from './plugin.ts'
import type { RegistryOptions } from './series/registry.ts'
import { Registry } from './series/registry.ts'
import type { Vitals } from './vitals.ts'

declare module 'fastify' {
  interface FastifyInstance {
    vitals: Vitals
  }
  interface FastifyContextConfig {
    /** What fastify-vitals does with this route; `false` leaves it uncounted. */
    vitals?: RouteConfig
  }
}

/** A store that several Fastify instances may share: give it to each as option `registry`. */
export function createRegistry (options?: RegistryOptions): Registry {
  return new Registry(options)
}

export { VitalsError } from './errors.ts'
export type { VitalsErrorCode } from './errors.ts'
export type { AuthOptions, BasicCredentials, ListenOptions, RateLimitOptions, RouteConfig, VitalsOptions } from './options.ts'
export type { Format } from './export/format.ts'
export type { Counter, CounterSeries } from './series/counter.ts'
export type { MetricDefinition } from './series/family.ts'
export type { Gauge, GaugeDefinition, GaugeSeries } from './series/gauge.ts'
export type { Histogram, HistogramDefinition, HistogramSeries } from './series/histogram.ts'
export type { Info } from './series/info.ts'
export type { Labels, LabelValue } from './series/labels.ts'
export type { Registry, RegistryOptions } from './series/registry.ts'
export type { HistogramValue, Snapshot } from './series/snapshot.ts'
export type { Vitals } from './vitals.ts'
export { vitals }
export default vitals
