import type { ExponentialBuckets } from '../series/exponential.ts'
import type { BankSnapshot, SeriesIdentity } from '../series/snapshot.ts'

/** Where nothing arrived yet. */
export const NOWHERE = -1

/** How many cells of a bank's rows can be compared: the buckets of an exponential histogram move, its count and sum do not. */
export function comparableOf ({ stride, exponential }: BankSnapshot): number {
  return exponential === undefined ? stride - 1 : 2
}

/**
 * What arrived last of each series, in one array: its comparable cells, since when they count, when they were taken (ms). Rows are
 * written over when more arrives, since new ones would have to be copied by the garbage collection.
 */
export class ArrivedRows {
  cells = new Float64Array(0)
  readonly #places = new Map<SeriesIdentity, number>()
  readonly #exponentials = new Map<SeriesIdentity, ExponentialBuckets>()
  #end = 0

  get size (): number {
    return this.#places.size
  }

  /** The place of a series' row; {@link NOWHERE} if there is none. */
  find (series: SeriesIdentity): number {
    return this.#places.get(series) ?? NOWHERE
  }

  exponentialOf (series: SeriesIdentity): ExponentialBuckets {
    return this.#exponentials.get(series)!
  }

  /** Notes a row as it arrived, at its place or a new one, which is returned. */
  write (place: number, bank: BankSnapshot, row: number, takenMs: number): number {
    const comparable = comparableOf(bank)
    const at = place === NOWHERE ? this.#add(bank.series[row]!, comparable + 2) : place
    const { cells } = this
    const from = row * bank.stride
    for (let i = 0; i < comparable; i++) cells[at + i] = bank.cells[from + i]!
    cells[at + comparable] = bank.cells[from + bank.stride - 1]!
    cells[at + comparable + 1] = takenMs
    if (bank.exponential !== undefined) this.#exponentials.set(bank.series[row]!, bank.exponential)
    return at
  }

  /** Takes over what others have at a place; returns the new one. */
  adopt (other: ArrivedRows, place: number, bank: BankSnapshot, row: number): number {
    const series = bank.series[row]!
    const width = comparableOf(bank) + 2
    const at = this.#add(series, width)
    this.cells.set(other.cells.subarray(place, place + width), at)
    if (bank.exponential !== undefined) this.#exponentials.set(series, other.exponentialOf(series))
    return at
  }

  #add (series: SeriesIdentity, width: number): number {
    const at = this.#end
    this.#end += width
    if (this.#end > this.cells.length) {
      const grown = new Float64Array(this.#end * 2)
      grown.set(this.cells)
      this.cells = grown
    }
    this.#places.set(series, at)
    return at
  }
}
