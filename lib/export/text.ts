import { escapeLabelValue } from '../series/labels.ts'
import type { BankSnapshot, FamilySnapshot, Snapshot } from '../series/snapshot.ts'
import { areBounds } from './bounds.ts'
import { ByteWriter } from './byte-writer.ts'
import type { Dialect } from './dialect.ts'
import type { RowWriter } from './row-writer.ts'
import type { SnapshotWriter } from './snapshot-writer.ts'
import { toSlices } from './snapshot-writer.ts'
import type { WrittenRows } from './written-rows.ts'
import { areCells, areWritten } from './written-rows.ts'

/** Lines written in one go: some 80 KB, well under a millisecond. */
const CHUNK_LINES = 1_024

/** Rows as text, and where each of them ends. */
interface Chunk extends WrittenRows {
  readonly ends: Uint32Array
}

/** The text of a bank. */
class BankText {
  readonly bounds: readonly number[]
  readonly #writer: RowWriter
  readonly #chunks: Chunk[] = []
  #hadExemplars = false

  constructor (bounds: readonly number[], writer: RowWriter) {
    this.bounds = bounds
    this.#writer = writer
  }

  * chunks (bank: BankSnapshot, out: ByteWriter): Generator<Buffer, void, void> {
    // Exemplars come and go, and change the length of lines: rows that have or had one are not copied.
    const hasExemplars = bank.exemplars !== undefined
    if (hasExemplars || this.#hadExemplars) this.#chunks.length = 0
    this.#hadExemplars = hasExemplars
    const rows = Math.max(1, Math.floor(CHUNK_LINES / bank.stride))
    this.#chunks.length = Math.min(this.#chunks.length, Math.ceil(bank.series.length / rows))
    for (let row = 0, i = 0; row < bank.series.length; row += rows, i++) {
      yield (this.#chunks[i] = this.#written(this.#chunks[i], bank, row, Math.min(row + rows, bank.series.length), out)).bytes
    }
  }

  #written (known: Chunk | undefined, bank: BankSnapshot, first: number, last: number, out: ByteWriter): Chunk {
    const { stride } = bank
    const series = bank.series.slice(first, last)
    const cells = bank.cells.slice(first * stride, last * stride)
    if (known === undefined) {
      out.start(NOTHING)
    } else {
      if (areWritten(known, series, cells)) return known
      out.start(known.bytes)
    }
    const writer = this.#writer
    const ends = new Uint32Array(series.length)
    const held = known === undefined ? 0 : Math.min(known.series.length, series.length)
    let from = 0
    let shift = 0
    for (let row = 0; row < series.length; row++) {
      const at = row * stride
      if (row < held) {
        const to = known!.ends[row]!
        const isHeld = known!.series[row] === series[row]
        if (!isHeld || !areCells(known!.cells, cells, at, stride)) {
          if (!isHeld || !writer.patch(series[row]!, cells, at, known!.cells, at, out, from, to)) {
            out.copyTo(from)
            out.text(writer.write(series[row]!, cells, at))
            out.skipTo(to)
          }
          shift = out.position - out.copied
        }
        ends[row] = to + shift
        from = to
      } else {
        if (row === held) out.copyTo(from)
        out.text(writer.write(series[row]!, cells, at, bank.exemplars?.get(first + row)))
        ends[row] = out.position
      }
    }
    if (held === series.length) out.copyTo(from)
    return { bytes: out.finish(), ends, series, cells }
  }
}

const NOTHING = Buffer.alloc(0)

/**
 * Writes snapshots as text in one dialect. It keeps what it wrote: rows whose numbers did not change since are copied,
 * those whose numbers did are copied with new numbers.
 */
export class TextWriter implements SnapshotWriter {
  readonly #dialect: Dialect
  readonly #families = new Map<string, { head: Buffer, banks: BankText[] }>()
  readonly #out = new ByteWriter()
  #constantText: string | undefined

  constructor (dialect: Dialect) {
    this.#dialect = dialect
  }

  slices (snapshot: Snapshot): Generator<Buffer, void, void> {
    return toSlices(this.#chunks(snapshot))
  }

  * #chunks (snapshot: Snapshot): Generator<Buffer, void, void> {
    this.#constantText ??= Object.entries(snapshot.constantLabels).map(([name, value]) => `${name}="${escapeLabelValue(value)}"`).join(',')
    for (const family of snapshot.families) {
      if (family.isHidden === true || family.banks.every(bank => bank.series.length === 0)) continue
      const { head, banks } = this.#textOf(family, this.#constantText)
      yield head
      const hasExemplars = this.#dialect.hasExemplars(family)
      for (let i = 0; i < family.banks.length; i++) {
        const bank = family.banks[i]!
        yield * banks[i]!.chunks(hasExemplars || bank.exemplars === undefined ? bank : { ...bank, exemplars: undefined }, this.#out)
      }
    }
    yield Buffer.from(this.#dialect.end)
  }

  #textOf (family: FamilySnapshot, constantText: string): { head: Buffer, banks: BankText[] } {
    let text = this.#families.get(family.name)
    if (text === undefined) this.#families.set(family.name, text = { head: Buffer.from(this.#dialect.head(family)), banks: [] })
    const { banks } = text
    family.banks.forEach(({ bounds }, i) => {
      // Banks that join from elsewhere may have other bounds each time.
      if (banks[i] === undefined || !areBounds(banks[i].bounds, bounds)) banks[i] = new BankText(bounds, this.#dialect.writer(family, bounds, constantText))
    })
    return text
  }
}
