import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { TracedMetric } from './otlp-exemplars.ts'
import { toOtlpExemplar } from './otlp-exemplars.ts'

interface JsonData { readonly dataPoints: { exemplars?: object[] }[] }

interface JsonRequest {
  readonly resourceMetrics: { readonly scopeMetrics: { readonly metrics: { readonly sum?: JsonData, readonly gauge?: JsonData, readonly histogram?: JsonData, readonly exponentialHistogram?: JsonData }[] }[] }[]
}

/** A serialized message with the exemplars of its points. */
export function addToJson (bytes: Uint8Array, { scopeMetrics }: ResourceMetrics): Uint8Array {
  const request = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()) as JsonRequest
  scopeMetrics.forEach(({ metrics }, s) => metrics.forEach((metric: TracedMetric, m) => {
    if (metric.exemplars === undefined) return
    const { sum, gauge, histogram, exponentialHistogram } = request.resourceMetrics[0]!.scopeMetrics[s]!.metrics[m]!
    const { dataPoints } = (sum ?? gauge ?? histogram ?? exponentialHistogram)!
    metric.dataPoints.forEach((point, p) => {
      const exemplars = metric.exemplars!.get(point)
      if (exemplars !== undefined) dataPoints[p]!.exemplars = exemplars.map(exemplar => toJson(toOtlpExemplar(exemplar, metric)))
    })
  }))
  return Buffer.from(JSON.stringify(request))
}

/** Ids are hexadecimal and 64-bit numbers are text (OTLP specification, "JSON Protobuf Encoding"). */
function toJson ({ timeUnixNano, value, isInteger, traceId, spanId, attributes }: ReturnType<typeof toOtlpExemplar>): object {
  return {
    timeUnixNano: String(timeUnixNano),
    ...(isInteger ? { asInt: String(value) } : { asDouble: value }),
    spanId,
    traceId,
    filteredAttributes: attributes.map(([key, stringValue]) => ({ key, value: { stringValue } }))
  }
}
