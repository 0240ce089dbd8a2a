import { escapeLabelValue } from '../series/labels.ts'
import type { BankSnapshot, FamilySnapshot, SeriesIdentity, Snapshot } from '../series/snapshot.ts'
import type { Dialect } from './dialect.ts'

/** Characters after which a slice ends; a slice of this size takes well under a millisecond to write. */
const SLICE_LENGTH = 32_768

/** The text of a bank's rows as last written, and the numbers it was written from. */
interface Written {
  readonly series: SeriesIdentity[]
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
  #constantText: string | undefined

  constructor (dialect: Dialect) {
    this.#dialect = dialect
  }

  /** The text of a snapshot, in slices, so that the caller decides when the event loop gets its turn. */
  * slices (snapshot: Snapshot): Generator<string, void, void> {
    const constant = this.#constantText ??= Object.entries(snapshot.constantLabels).map(([name, value]) => `${name}="${escapeLabelValue(value)}"`).join(',')
    let slice = ''
    for (const family of snapshot.families) {
      if (family.banks.every(bank => bank.series.length === 0)) continue
      slice += this.#dialect.head(family)
      const written = this.#writtenOf(family)
      for (let b = 0; b < family.banks.length; b++) {
        const bank = family.banks[b]!
        const write = this.#dialect.writer(family, bank.bounds, constant)
        const rows = written[b]!
        fit(rows, bank)
        for (let row = 0; row < bank.series.length; row++) {
          slice += rowText(rows, bank, row, write)
          if (slice.length >= SLICE_LENGTH) {
            yield slice
            slice = ''
          }
        }
      }
    }
    yield slice + this.#dialect.end
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

function rowText (written: Written, bank: BankSnapshot, row: number, write: (series: SeriesIdentity, cells: Float64Array, at: number) => string): string {
  const series = bank.series[row]!
  const { cells, stride } = bank
  const at = row * stride
  const known = written.cells
  if (written.series[row] === series) {
    let i = at
    const end = at + stride
    while (i < end && cells[i] === known[i]) i++
    if (i === end) return written.text[row]!
  }
  const text = write(series, cells, at)
  for (let i = at; i < at + stride; i++) known[i] = cells[i]!
  written.series[row] = series
  written.text[row] = text
  return text
}
