import type { PushMetricExporter, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { addToJson } from './exemplars-json.ts'
import { addToProtobuf } from './exemplars-protobuf.ts'
import type { Serializer } from './exporter-insides.ts'
import { delegateOf } from './exporter-insides.ts'
import type { TracedMetric } from './otlp-exemplars.ts'
import type { OtlpProtocol } from './otlp-options.ts'

/**
 * Has an exporter of OpenTelemetry send exemplars, which its serializer leaves out: they are added to what that has written. Messages
 * without exemplars stay as they are. Where an exporter is not as expected, all else is sent, and the reason is told once there are some.
 */
export function sendExemplars (exporter: PushMetricExporter, protocol: OtlpProtocol, onFailure: (reason: string) => void): void {
  const delegate = delegateOf(exporter)
  const serializer = delegate?._serializer
  const add = protocol === 'http/json' ? addToJson : addToProtobuf
  let isFailing = false
  const fail = (reason: string): void => {
    if (!isFailing) onFailure(reason)
    isFailing = true
  }
  if (delegate === undefined || typeof serializer?.serializeRequest !== 'function') {
    const send = exporter.export.bind(exporter)
    exporter.export = (metrics, done) => {
      if (hasExemplars(metrics)) fail('this version of the exporter has its serializer in another place')
      send(metrics, done)
    }
    return
  }
  const serializeRequest = (metrics: ResourceMetrics): Uint8Array | undefined => {
    const bytes = serializer.serializeRequest(metrics)
    if (bytes === undefined || isFailing || !hasExemplars(metrics)) return bytes
    try {
      return add(bytes, metrics)
    } catch (error) {
      fail(String(error))
      return bytes
    }
  }
  delegate._serializer = Object.assign(Object.create(serializer) as Serializer, { serializeRequest })
}

function hasExemplars ({ scopeMetrics }: ResourceMetrics): boolean {
  return scopeMetrics.some(({ metrics }) => metrics.some((metric: TracedMetric) => metric.exemplars !== undefined))
}
