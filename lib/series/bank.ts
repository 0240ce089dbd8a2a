import type { Family } from './family.ts'
import type { Series } from './series.ts'
import type { TraceAsker } from './traces.ts'

const FIRST_ROWS = 4

/**
 * The numbers of all series of one shape, a row each, in one array: recording is an addition at a known offset, and a
 * snapshot of any size is one memory copy. A row is [value or count, (sum, one cell for each bound,) creation time in
 * ms since the epoch].
 */
export class Bank<S extends Series = Series> {
  /** Upper bounds of the buckets, ascending, without +Inf; empty for a scalar. */
  readonly bounds: readonly number[]
  /** The same as plain doubles, for the search of a bucket: a frozen array holds each as an object, which takes twice as long. */
  readonly uppers: Float64Array
  readonly stride: number
  readonly series: S[] = []
  cells: Float64Array
  /** Set by the family that owns the bank. */
  declare family: Family<S>
  /** Whose question for a trace its records wait for; `undefined` where no exemplars are kept. */
  asker: TraceAsker | undefined = undefined

  /** What the first cell of a row begins with. */
  readonly #initial: number

  constructor (bounds: readonly number[], isHistogram: boolean, initial: number = 0) {
    this.bounds = bounds
    this.uppers = Float64Array.from(bounds)
    this.#initial = initial
    this.stride = isHistogram ? bounds.length + 3 : 2
    this.cells = new Float64Array(0)
  }

  /** Gives a series its row, as it begins, and returns the offset of the row's first cell. */
  add (series: S, createdMs: number): number {
    const at = this.series.length * this.stride
    if (at === this.cells.length) {
      const grown = new Float64Array(Math.max(1, Math.ceil(this.series.length * 1.25) + (at === 0 ? 0 : FIRST_ROWS)) * this.stride)
      grown.set(this.cells)
      this.cells = grown
    }
    this.series.push(series)
    this.#begin(at, createdMs)
    return at
  }

  /** Frees the row of a series; the last row moves into its place, so that rows stay without gaps. */
  remove (series: S): void {
    const last = this.series.pop()!
    if (last !== series) {
      this.cells.copyWithin(series.at, last.at, last.at + this.stride)
      this.series[series.at / this.stride] = last
      const at = last.at
      last.at = series.at
      this.cells.fill(0, at, at + this.stride)
    } else {
      this.cells.fill(0, series.at, series.at + this.stride)
    }
    series.at = -1
  }

  /** Zeroes every row; a cumulative value starts anew at the given time. */
  reset (nowMs: number): void {
    this.cells.fill(0)
    for (const { at } of this.series) this.#begin(at, nowMs)
  }

  #begin (at: number, createdMs: number): void {
    this.cells[at] = this.#initial
    this.cells[at + this.stride - 1] = createdMs
  }
}
