import type { BinaryWriter } from '@bufbuild/protobuf/wire'
import { parseLabelText } from '../series/labels.ts'
import type { BankSnapshot, FamilySnapshot, SeriesIdentity } from '../series/snapshot.ts'
import { areBounds } from './bounds.ts'
import type { NativeBuckets } from './native-histogram.ts'
import { writeData } from './protobuf-data.ts'
import { openMessage, writeLabel } from './protobuf-fields.ts'
import type { WrittenRows } from './written-rows.ts'
import { areSeries, areWritten } from './written-rows.ts'

/** Numbers written in one go: well under a millisecond. */
const CHUNK_NUMBERS = 1_024

/** Field `metric` of a MetricFamily. */
const METRIC = 4

/** The labels of each row as bytes, and where they end. */
interface EncodedLabels {
  readonly bytes: Uint8Array
  readonly ends: Uint32Array
}

/** Rows as messages. */
interface Chunk extends WrittenRows {
  readonly labels: EncodedLabels
}

/** What the messages of a bank are written from. */
export interface BankSource {
  readonly family: FamilySnapshot
  readonly bank: BankSnapshot
  readonly native: NativeBuckets | undefined
  /** Label pairs of every series. */
  readonly constantLabels: Uint8Array
}

/** The messages of a bank: what did not change since it was last written is handed out again, and labels are encoded once. */
export class BankMessages {
  readonly #writer: BinaryWriter
  readonly #chunks: Chunk[] = []
  #bounds: readonly number[] = []
  #isKept = false

  constructor (writer: BinaryWriter) {
    this.#writer = writer
  }

  * chunks (source: BankSource): Generator<Buffer, void, void> {
    const { bank: { bounds, stride, series, exemplars }, native } = source
    // Exemplars and exponential buckets change beside the numbers.
    const isPlain = exemplars === undefined && native === undefined
    const isKept = isPlain && this.#isKept && areBounds(this.#bounds, bounds)
    this.#isKept = isPlain
    this.#bounds = bounds
    const rows = Math.max(1, Math.floor(CHUNK_NUMBERS / stride))
    this.#chunks.length = Math.min(this.#chunks.length, Math.ceil(series.length / rows))
    for (let first = 0, i = 0; first < series.length; first += rows, i++) {
      yield (this.#chunks[i] = this.#written(this.#chunks[i], source, first, Math.min(first + rows, series.length), isKept)).bytes
    }
  }

  #written (known: Chunk | undefined, { family, bank, native, constantLabels }: BankSource, first: number, last: number, isKept: boolean): Chunk {
    const series = bank.series.slice(first, last)
    const cells = bank.cells.slice(first * bank.stride, last * bank.stride)
    if (isKept && known !== undefined && areWritten(known, series, cells)) return known
    const writer = this.#writer
    const labels = known !== undefined && areSeries(known.series, series) ? known.labels : encodeLabels(series, writer)
    let from = 0
    labels.ends.forEach((to, row) => {
      openMessage(writer, METRIC).raw(constantLabels).raw(labels.bytes.subarray(from, to))
      writeData(writer, family, bank, first + row, native)
      writer.join()
      from = to
    })
    return { bytes: Buffer.from(writer.finish().buffer), series, cells, labels }
  }
}

function encodeLabels (series: readonly SeriesIdentity[], writer: BinaryWriter): EncodedLabels {
  const ends = new Uint32Array(series.length)
  let end = 0
  const encoded = series.map(({ text }, row) => {
    const { names, values } = parseLabelText(text)
    names.forEach((name, i) => writeLabel(writer, name, values[i]!))
    const bytes = writer.finish()
    ends[row] = end += bytes.length
    return bytes
  })
  return { bytes: Buffer.concat(encoded, end), ends }
}
