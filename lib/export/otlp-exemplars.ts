import { ValueType } from '@opentelemetry/api'
import type { DataPoint, MetricData } from '@opentelemetry/sdk-metrics'
import type { Exemplar, RowExemplars } from '../series/snapshot.ts'
import { isTraceLabel } from './trace-labels.ts'

/** By point: what was recorded for it within a trace. The SDK's data has no place for exemplars. */
export type PointExemplars = Map<DataPoint<unknown>, readonly Exemplar[]>

/** A metric some of whose points have exemplars. */
export type TracedMetric = MetricData & { readonly exemplars?: PointExemplars | undefined }

/** The exemplars of a point, if there are some that were recorded since then. */
export function exemplarsSince (row: RowExemplars | undefined, sinceMs: number): readonly Exemplar[] | undefined {
  const found = row?.flatMap(slot => slot ?? []).filter(({ timestampMs }) => timestampMs >= sinceMs)
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

/**
 * An exemplar as OTLP has it: labels that name the trace and the span are its ids, every other is an attribute (compatibility
 * specification, "Exemplars").
 */
export function toOtlpExemplar ({ value, timestampMs, labels }: Exemplar, { descriptor }: MetricData): OtlpExemplar {
  const pairs = Object.entries(labels)
  const { trace_id: traceId, span_id: spanId } = Object.fromEntries(pairs.filter(isTraceLabel)) as Readonly<Record<string, string | undefined>>
  return {
    timeUnixNano: BigInt(Math.round(timestampMs * 1_000)) * 1_000n,
    value,
    isInteger: descriptor.valueType === ValueType.INT && Number.isSafeInteger(value),
    traceId,
    spanId,
    attributes: pairs.filter(pair => !isTraceLabel(pair))
  }
}
