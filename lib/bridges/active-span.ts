import { context, createContextKey, ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api'
import type { TraceLabels, TraceSource } from '../series/traces.ts'

/** The active span as OpenTelemetry's API knows it, if it is sampled: a trace that nobody keeps is of no use to anyone. */
function readActiveSpan (): TraceLabels | undefined {
  const context = trace.getActiveSpan()?.spanContext()
  if (context === undefined || (context.traceFlags & TraceFlags.SAMPLED) === 0) return undefined
  return { trace_id: context.traceId, span_id: context.spanId }
}

const PROBE = ROOT_CONTEXT.setValue(createContextKey('fastify-vitals probe'), true)

/** Whether a span can be active at all: nothing is where no context manager was registered, since then every context is the root. */
function canBeTraced (): boolean {
  return context.with(PROBE, () => context.active() === PROBE)
}

/** For how long nobody asks once nothing was found, in ms. */
const REST_MS = 100

/** The spans of OpenTelemetry's API. */
export const activeSpans: TraceSource = Object.freeze({
  read: readActiveSpan,
  canTrace: canBeTraced,
  rest: (wake: () => void) => { setTimeout(wake, REST_MS).unref() }
})
