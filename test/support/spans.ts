import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { AlwaysOnSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import type { Test } from 'tap'

/** Runs something within a span of its own, and returns the trace of that. */
export type InSpan = (work: () => void) => string

/** Spans for the rest of a test file, each of them sampled. */
export function startSpans (t: Pick<Test, 'teardown'>): InSpan {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  t.teardown(() => context.disable())
  const tracer = new TracerProvider({ sampler: new AlwaysOnSampler() }).getTracer('test')
  return work => {
    const span = tracer.startSpan('work')
    context.with(trace.setSpan(context.active(), span), work)
    return span.spanContext().traceId
  }
}
