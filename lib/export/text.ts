import { escapeLabelValue } from '../series/labels.ts'
import type { BankSnapshot, FamilySnapshot, SeriesIdentity, Snapshot } from '../series/snapshot.ts'
import { ByteWriter, toBinary } from './byte-writer.ts'
import type { Dialect, SeriesWriter } from './dialect.ts'

/** The text of a bank's rows as last written, and the numbers it was written from. */
interface Written {
  readonly series: SeriesIdentity[]
  /** As binary strings. */
  readonly text: string[]
  cells: Float64Array
}

/**
 * Writes snapshots as text in one dialect. It keeps the text of each series: a series whose numbers did not change since
 * is copied, not written again.
 */
export class TextWriter {
  readonly #dialect: Dialect
  readonly #families = new Map<string, Written[]>()

  constructor (dialect: Dialect) {
    this.#dialect = dialect
  }

  /** The text of a snapshot as UTF-8, in slices, so that the caller decides when the event loop gets its turn. */
  * slices (snapshot: Snapshot): Generator<Buffer, void, void> {
    const constant = Object.entries(snapshot.constantLabels).map(([name, value]) => `${name}="${escapeLabelValue(value)}"`).join(',')
    const out = new ByteWriter()
    for (const family of snapshot.families) {
      if (family.banks.every(bank => bank.series.length === 0)) continue
      const head = toBinary(this.#dialect.head(family))
      if (!out.fits(head.length)) {
        yield out.take()
        out.fits(head.length)
      }
      out.block(head)
      const written = this.#writtenOf(family)
      for (let b = 0; b < family.banks.length; b++) {
        const bank = family.banks[b]!
        const writer = this.#dialect.writer(family, bank.bounds, constant)
        const rows = written[b]!
        fit(rows, bank)
        for (let row = 0; row < bank.series.length; row++) {
          const known = unchanged(rows, bank, row)
          const room = known === undefined ? writer.room(bank.series[row]!) : known.length
          if (!out.fits(room)) {
            yield out.take()
            out.fits(room)
          }
          if (known === undefined) write(rows, bank, row, writer, out)
          else out.block(known)
        }
      }
    }
    yield out.take()
    yield Buffer.from(this.#dialect.end)
  }

  #writtenOf (family: FamilySnapshot): Written[] {
    let written = this.#families.get(family.name)
    if (written === undefined) this.#families.set(family.name, written = [])
    while (written.length < family.banks.length) written.push({ series: [], text: [], cells: new Float64Array(0) })
    return written
  }
}

/** Makes room for the rows of a bank, and forgets those that are gone. */
function fit (written: Written, bank: BankSnapshot): void {
  const rows = bank.series.length
  if (written.cells.length < bank.cells.length) {
    const grown = new Float64Array(bank.cells.length)
    grown.set(written.cells)
    written.cells = grown
  }
  if (written.series.length > rows) {
    written.series.length = rows
    written.text.length = rows
  }
}

/** The text of a row if it was written before, from the same numbers. */
function unchanged (written: Written, bank: BankSnapshot, row: number): string | undefined {
  if (written.series[row] !== bank.series[row]) return undefined
  const { cells, stride } = bank
  const known = written.cells
  for (let i = row * stride; i < (row + 1) * stride; i++) if (cells[i] !== known[i]) return undefined
  return written.text[row]
}

function write (written: Written, bank: BankSnapshot, row: number, writer: SeriesWriter, out: ByteWriter): void {
  const { cells, stride, series } = bank
  const at = row * stride
  const from = out.at
  writer.write(series[row]!, cells, at, out)
  for (let i = at; i < at + stride; i++) written.cells[i] = cells[i]!
  written.series[row] = series[row]!
  written.text[row] = out.since(from)
}
