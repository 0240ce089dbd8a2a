import { trace, TraceFlags } from '@opentelemetry/api'
import type { TraceLabels } from '../series/traces.ts'

/** The active span as OpenTelemetry's API knows it: `null` if it is not sampled, a trace that nobody keeps is of no use to anyone. */
export function readActiveSpan (): TraceLabels | null | undefined {
  const context = trace.getActiveSpan()?.spanContext()
  if (context === undefined) return undefined
  return (context.traceFlags & TraceFlags.SAMPLED) === 0 ? null : { trace_id: context.traceId, span_id: context.spanId }
}
