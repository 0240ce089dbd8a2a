import { trace, TraceFlags } from '@opentelemetry/api'
import type { TraceLabels } from '../series/traces.ts'

/** The active span as OpenTelemetry's API knows it, if it is sampled: a trace that nobody keeps is of no use to anyone. */
export function readActiveSpan (): TraceLabels | undefined {
  const context = trace.getActiveSpan()?.spanContext()
  if (context === undefined || (context.traceFlags & TraceFlags.SAMPLED) === 0) return undefined
  return { trace_id: context.traceId, span_id: context.spanId }
}
