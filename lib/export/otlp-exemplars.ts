import { ValueType } from '@opentelemetry/api'
import type { DataPoint, MetricData } from '@opentelemetry/sdk-metrics'
import type { Exemplar, RowExemplars } from '../series/snapshot.ts'

/** By point: what was recorded for it within a trace. The SDK's data has no place for exemplars. */
export type PointExemplars = Map<DataPoint<unknown>, readonly Exemplar[]>

/** A metric some of whose points have exemplars. */
export type TracedMetric = MetricData & { readonly exemplars?: PointExemplars | undefined }

/** The exemplars of a point, if there are some that were recorded since then. */
export function exemplarsSince (row: RowExemplars | undefined, sinceMs: number): readonly Exemplar[] | undefined {
  const found = row?.filter(exemplar => exemplar !== undefined && exemplar.timestampMs >= sinceMs) as Exemplar[] | undefined
  return found === undefined || found.length === 0 ? undefined : found
}

/** An exemplar in the terms of OpenTelemetry. */
export interface OtlpExemplar {
  readonly timeUnixNano: bigint
  readonly value: number
  readonly isInteger: boolean
  /** In hexadecimal digits. */
  readonly traceId: string | undefined
  readonly spanId: string | undefined
  readonly attributes: readonly (readonly [string, string])[]
}

const TRACE_ID = /^[\da-f]{32}$/i
const SPAN_ID = /^[\da-f]{16}$/i

/**
 * An exemplar as OTLP has it: labels that name the trace and the span are its ids, every other is an attribute (compatibility
 * specification, "Exemplars").
 */
export function toOtlpExemplar ({ value, timestampMs, labels }: Exemplar, { descriptor }: MetricData): OtlpExemplar {
  const { trace_id: trace = '', span_id: span = '' } = labels
  const [traceId, spanId] = [TRACE_ID.test(trace) ? trace : undefined, SPAN_ID.test(span) ? span : undefined]
  return {
    timeUnixNano: BigInt(Math.round(timestampMs * 1_000)) * 1_000n,
    value,
    isInteger: descriptor.valueType === ValueType.INT && Number.isSafeInteger(value),
    traceId,
    spanId,
    attributes: Object.entries(labels).filter(([name]) => !(name === 'trace_id' && traceId !== undefined) && !(name === 'span_id' && spanId !== undefined))
  }
}
