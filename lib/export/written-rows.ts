import type { SeriesIdentity } from '../series/snapshot.ts'

/** Rows of a bank as last written, with what they were written from. The bytes are never changed: readers may hold them. */
export interface WrittenRows {
  readonly bytes: Buffer
  readonly series: readonly SeriesIdentity[]
  readonly cells: Float64Array
}

/** Whether rows are those that were written, with the same numbers. */
export function areWritten (known: WrittenRows, series: readonly SeriesIdentity[], cells: Float64Array): boolean {
  return areSeries(known.series, series) && areCells(known.cells, cells, 0, cells.length)
}

/** Whether all series are the same, in the same order. */
export function areSeries (a: readonly SeriesIdentity[], b: readonly SeriesIdentity[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Whether the numbers from `at` on are the same. */
export function areCells (a: Float64Array, b: Float64Array, at: number, length: number): boolean {
  for (let i = at, end = at + length; i < end; i++) if (a[i] !== b[i]) return false
  return true
}
