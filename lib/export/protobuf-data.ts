import type { BinaryWriter } from '@bufbuild/protobuf/wire'
import type { BankSnapshot, Exemplar, FamilySnapshot, SnapshotType } from '../series/snapshot.ts'
import { shownLabels } from './exemplar-labels.ts'
import type { NativeBuckets, SparseBuckets } from './native-histogram.ts'
import { openMessage, writeCount, writeDouble, writeLabel, writeTimestamp, writeWhole } from './protobuf-fields.ts'
import { hasHistogramSum, hasSummarySum } from './sums.ts'

// The messages and numbers of fields of client_model's io/prometheus/client/metrics.proto.

/** Enum MetricType; an info is a gauge. */
export const TYPE_NUMBER: Readonly<Record<SnapshotType, number>> = { counter: 0, gauge: 1, info: 1, summary: 2, histogram: 4 }

/** Prometheus' own NaN for "no value any more" (value.StaleNaN): what a sum is that is not to be shown. */
const STALE_NAN = 0x7ff0_0000_0000_0002n

/** Writes what a row of a bank says into a message Metric: all but its labels. */
export function writeData (writer: BinaryWriter, family: FamilySnapshot, bank: BankSnapshot, row: number, native?: NativeBuckets): void {
  switch (family.type) {
    case 'counter': return writeCounter(writer, bank, row)
    case 'histogram': return writeHistogram(writer, family, bank, row, native)
    case 'summary': return writeSummary(writer, family, bank, row)
    default:
      writeDouble(openMessage(writer, 2), 1, bank.cells[row * bank.stride]!)
      writer.join()
  }
}

function writeCounter (writer: BinaryWriter, { cells, stride, exemplars }: BankSnapshot, row: number): void {
  const at = row * stride
  openMessage(writer, 3)
  writeDouble(writer, 1, cells[at]!)
  writeExemplar(writer, 2, exemplars?.get(row)?.[0]?.[0])
  writeTimestamp(writer, 3, cells[at + 1]!)
  writer.join()
}

function writeSummary (writer: BinaryWriter, { isSemconv = false }: FamilySnapshot, { bounds, cells, stride }: BankSnapshot, row: number): void {
  const at = row * stride
  openMessage(writer, 4)
  writeCount(writer, 1, cells[at]!)
  writeSum(writer, hasSummarySum(isSemconv, cells, at, bounds.length) ? cells[at + 1]! : undefined)
  bounds.forEach((quantile, i) => {
    openMessage(writer, 3)
    writeDouble(writer, 1, quantile)
    writeDouble(writer, 2, cells[at + 2 + i]!)
    writer.join()
  })
  writeTimestamp(writer, 4, cells[at + stride - 1]!)
  writer.join()
}

function writeHistogram (writer: BinaryWriter, family: FamilySnapshot, { bounds, cells, stride, exemplars }: BankSnapshot, row: number, native: NativeBuckets | undefined): void {
  const at = row * stride
  const slots = exemplars?.get(row)
  // With a stale sum, all of a native histogram is stale: so the specification wants those without a sum, and no others.
  const hasSum = native === undefined ? hasHistogramSum(family, bounds) : family.isSumless !== true
  openMessage(writer, 7)
  writeCount(writer, 1, cells[at]!, 4)
  writeSum(writer, hasSum ? cells[at + 1]! : undefined)
  let cumulative = 0
  for (let i = 0; i < bounds.length; i++) {
    cumulative += cells[at + 2 + i]!
    writeBucket(writer, bounds[i]!, cumulative, slots?.[i]?.[0])
  }
  writeBucket(writer, Infinity, cells[at]!, slots?.[bounds.length]?.[0])
  if (native === undefined) writeTimestamp(writer, 15, cells[at + stride - 1]!)
  else writeNative(writer, native)
  writer.join()
}

function writeBucket (writer: BinaryWriter, bound: number, cumulative: number, exemplar: Exemplar | undefined): void {
  openMessage(writer, 3)
  writeCount(writer, 1, cumulative, 4)
  writeDouble(writer, 2, bound)
  writeExemplar(writer, 3, exemplar)
  writer.join()
}

function writeNative (writer: BinaryWriter, { schema, zeroThreshold, zeroCount, positive, negative }: NativeBuckets): void {
  writer.uint32(5 << 3).sint32(schema)
  writeDouble(writer, 6, zeroThreshold)
  writeWhole(writer, 7, zeroCount)
  writeSparse(writer, 9, negative)
  writeSparse(writer, 12, positive)
}

function writeSparse (writer: BinaryWriter, field: number, { spans, deltas }: SparseBuckets): void {
  for (const { offset, length } of spans) {
    openMessage(writer, field).uint32(1 << 3).sint32(offset)
    writeWhole(writer, 2, length)
    writer.join()
  }
  if (deltas.length === 0) return
  openMessage(writer, field + 1)
  for (const delta of deltas) writer.sint64(delta)
  writer.join()
}

function writeSum (writer: BinaryWriter, sum: number | undefined): void {
  if (sum === undefined) writer.uint32(2 << 3 | 1).fixed64(STALE_NAN)
  else writeDouble(writer, 2, sum)
}

function writeExemplar (writer: BinaryWriter, field: number, exemplar: Exemplar | undefined): void {
  const labels = exemplar && shownLabels(exemplar)
  if (labels === undefined) return
  const { value, timestampMs } = exemplar!
  openMessage(writer, field)
  for (const [name, text] of labels) writeLabel(writer, name, text)
  writeDouble(writer, 2, value)
  writeTimestamp(writer, 3, timestampMs)
  writer.join()
}
