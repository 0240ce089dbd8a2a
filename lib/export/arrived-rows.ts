import type { ExponentialBuckets } from '../series/exponential.ts'
import type { BankSnapshot, SeriesIdentity } from '../series/snapshot.ts'

/** Where nothing arrived yet. */
export const NOWHERE = -1

/** How many cells of a bank's rows can be compared: the buckets of an exponential histogram move, its count and sum do not. */
function comparableOf ({ stride, exponential }: BankSnapshot): number {
  return exponential === undefined ? stride - 1 : 2
}

/**
 * What arrived last of each series, in one array: how many cells are compared, those cells, since when they count, when they were taken (ms).
 * Rows are written over when more arrives, since new ones would have to be copied by the garbage collection.
 */
export class ArrivedRows {
  #cells = new Float64Array(0)
  /** Whether there are rows of series that have had another shape since. */
  hasGaps = false
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

  /**
   * Writes into `cells` at `at` what came to a row since it arrived, and since when that counts; the whole row where nothing of it has arrived.
   * Returns whether anything has.
   */
  subtract (place: number, bank: BankSnapshot, row: number, cells: Float64Array, at: number): boolean {
    const { stride, cells: now } = bank
    const comparable = comparableOf(bank)
    const from = row * stride
    const sinceMs = now[from + stride - 1]!
    const before = this.#cells
    if (!this.#fits(place, comparable) || before[place + comparable + 1] !== sinceMs) {
      for (let i = 0; i < stride; i++) cells[at + i] = now[from + i]!
      return false
    }
    for (let i = 0; i < comparable; i++) cells[at + i] = now[from + i]! - before[place + 1 + i]!
    cells[at + stride - 1] = before[place + comparable + 2]!
    return true
  }

  exponentialOf (series: SeriesIdentity): ExponentialBuckets {
    return this.#exponentials.get(series)!
  }

  /** Notes a row as it arrived, at its place or a new one, which is returned. */
  write (place: number, bank: BankSnapshot, row: number, takenMs: number): number {
    const comparable = comparableOf(bank)
    const at = this.#fits(place, comparable) ? place : this.#add(bank.series[row]!, comparable)
    if (place !== NOWHERE && at !== place) this.hasGaps = true
    const cells = this.#cells
    const from = row * bank.stride
    for (let i = 0; i < comparable; i++) cells[at + 1 + i] = bank.cells[from + i]!
    cells[at + comparable + 1] = bank.cells[from + bank.stride - 1]!
    cells[at + comparable + 2] = takenMs
    if (bank.exponential !== undefined) this.#exponentials.set(bank.series[row]!, bank.exponential)
    return at
  }

  /** Takes over what others have at a place; returns the new one. */
  adopt (other: ArrivedRows, place: number, bank: BankSnapshot, row: number): number {
    const series = bank.series[row]!
    const comparable = comparableOf(bank)
    if (!other.#fits(place, comparable)) return NOWHERE
    const at = this.#add(series, comparable)
    this.#cells.set(other.#cells.subarray(place, place + comparable + 3), at)
    if (bank.exponential !== undefined) this.#exponentials.set(series, other.exponentialOf(series))
    return at
  }

  /** Whether there is a row at a place, and of this shape. */
  #fits (place: number, comparable: number): boolean {
    return place !== NOWHERE && this.#cells[place] === comparable
  }

  #add (series: SeriesIdentity, comparable: number): number {
    const at = this.#end
    this.#end += comparable + 3
    if (this.#end > this.#cells.length) {
      const grown = new Float64Array(this.#end * 2)
      grown.set(this.#cells)
      this.#cells = grown
    }
    this.#cells[at] = comparable
    this.#places.set(series, at)
    return at
  }
}
