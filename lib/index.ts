import { VitalsError } from './errors.ts'
import { MeterBridge } from './bridges/meter-bridge.ts'
import type { RouteConfig } from './options.ts'
import { vitals } from './plugin.ts'
import { createRegistry } from './resolve-options.ts'
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

/**
 * The parts that join the application's own OpenTelemetry SDK: `reader` goes among its metric readers, `producer` to the reader
 * that it pushes with, and the bridge itself to option `meters`.
 */
export function createMeterBridge (): MeterBridge {
  return new MeterBridge()
}

export type { VitalsErrorCode } from './errors.ts'
export type { AuthOptions, BasicCredentials, LimiterOptions, ListenOptions, Naming, RateLimitOptions, RouteConfig, VitalsOptions } from './options.ts'
export type { MeterBridge } from './bridges/meter-bridge.ts'
export type { InstrumentOptions } from './clients/clients.ts'
export type { PromRegistry } from './bridges/prom-registry.ts'
export type { PromView } from './bridges/prom-view.ts'
export type { OtlpOptions } from './export/otlp-options.ts'
export type { OtlpIdentity } from './series/otlp-identity.ts'
export type { Format } from './export/format.ts'
export type { CheckFacts, RateLimiter } from './limiter/rate-limiter.ts'
export type { RejectionReason } from './limiter/check-rows.ts'
export type { Counter, CounterSeries } from './series/counter.ts'
export type { MetricDefinition } from './series/family.ts'
export type { Gauge, GaugeDefinition, GaugeSeries } from './series/gauge.ts'
export type { Histogram, HistogramDefinition, HistogramSeries } from './series/histogram.ts'
export type { Info } from './series/info.ts'
export type { Labels, LabelValue } from './series/labels.ts'
export type { SharedRegistryOptions as RegistryOptions } from './resolve-options.ts'
export type { Registry } from './series/registry.ts'
export type { HistogramValue, Snapshot } from './series/snapshot.ts'
export type { Vitals } from './vitals.ts'
export { VitalsError, createRegistry, vitals }
export default vitals

/** What `require('fastify-vitals')` gives to CommonJS: the plugin, with the named exports as its properties. */
const commonJs = Object.assign(vitals, { vitals, VitalsError, createRegistry })
export { commonJs as 'module.exports' }
