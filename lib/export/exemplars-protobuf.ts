import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { DataPointType } from '@opentelemetry/sdk-metrics'
import type { DataPoint, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { OtlpExemplar, TracedMetric } from './otlp-exemplars.ts'
import { toOtlpExemplar } from './otlp-exemplars.ts'

/** Fields of opentelemetry/proto/metrics/v1/metrics.proto: where a metric has its data, and a point of that its exemplars. */
const FIELDS_OF: Readonly<Record<DataPointType, { readonly data: number, readonly exemplars: number }>> = {
  [DataPointType.GAUGE]: { data: 5, exemplars: 5 },
  [DataPointType.SUM]: { data: 7, exemplars: 5 },
  [DataPointType.HISTOGRAM]: { data: 9, exemplars: 8 },
  [DataPointType.EXPONENTIAL_HISTOGRAM]: { data: 10, exemplars: 11 }
}

/** A serialized message with the exemplars of its points. */
export function addToProtobuf (bytes: Uint8Array, metrics: ResourceMetrics): Uint8Array {
  const writer = new BinaryWriter()
  copy(bytes, writer, 1, [metrics], () => true, ({ scopeMetrics }, bytes) => {
    copy(bytes, writer, 2, scopeMetrics, () => true, ({ metrics }, bytes) => {
      copy(bytes, writer, 2, metrics as TracedMetric[], metric => metric.exemplars !== undefined, (metric, bytes) => addToMetric(bytes, writer, metric))
    })
  })
  return writer.finish()
}

function addToMetric (bytes: Uint8Array, writer: BinaryWriter, metric: TracedMetric): void {
  const fields = FIELDS_OF[metric.dataPointType]
  copy(bytes, writer, fields.data, [metric], () => true, ({ dataPoints, exemplars }, bytes) => {
    copy(bytes, writer, 1, dataPoints as DataPoint<unknown>[], point => exemplars!.has(point), (point, bytes) => {
      writer.raw(bytes)
      for (const exemplar of exemplars!.get(point)!) write(toOtlpExemplar(exemplar, metric), writer.tag(fields.exemplars, WireType.LengthDelimited).fork()).join()
    })
  })
}

/** Copies a message but for the items of one repeated field that are to be written anew, with a length before each. */
function copy<T> (message: Uint8Array, writer: BinaryWriter, field: number, items: readonly T[], isNew: (item: T) => boolean, write: (item: T, bytes: Uint8Array) => void): void {
  const reader = new BinaryReader(message)
  let next = 0
  while (reader.pos < reader.len) {
    const from = reader.pos
    const [number, type] = reader.tag()
    const isItem = number === field
    const content = isItem ? reader.bytes() : reader.skip(type, number)
    const item = isItem ? items[next++] : undefined
    if (item === undefined || !isNew(item)) {
      writer.raw(message.subarray(from, reader.pos))
    } else {
      writer.tag(field, WireType.LengthDelimited).fork()
      write(item, content)
      writer.join()
    }
  }
  if (next !== items.length) throw new Error(`a message has ${next} items of field ${field} where ${items.length} were expected`)
}

/** Message Exemplar of the same file. */
function write ({ timeUnixNano, value, isInteger, traceId, spanId, attributes }: OtlpExemplar, writer: BinaryWriter): BinaryWriter {
  writer.tag(2, WireType.Bit64).fixed64(timeUnixNano)
  if (isInteger) writer.tag(6, WireType.Bit64).sfixed64(value)
  else writer.tag(3, WireType.Bit64).double(value)
  if (spanId !== undefined) writer.tag(4, WireType.LengthDelimited).bytes(Buffer.from(spanId, 'hex'))
  if (traceId !== undefined) writer.tag(5, WireType.LengthDelimited).bytes(Buffer.from(traceId, 'hex'))
  for (const [name, text] of attributes) {
    writer.tag(7, WireType.LengthDelimited).fork()
    writer.tag(1, WireType.LengthDelimited).string(name)
    writer.tag(2, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(text).join()
    writer.join()
  }
  return writer
}
