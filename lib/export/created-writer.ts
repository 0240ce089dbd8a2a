import type { SeriesIdentity } from '../series/snapshot.ts'
import type { RowWriter } from './row-writer.ts'

/** What another writer writes, and the line of OpenMetrics that says since when the series counts, in seconds since the epoch. */
export function createdWriter (inner: RowWriter, name: string, stride: number, constantText: string): RowWriter {
  const line = ({ text }: SeriesIdentity, cells: Float64Array, at: number): string => {
    const labels = [constantText, text].filter(part => part !== '').join(',')
    return `${name}_created${labels === '' ? '' : `{${labels}}`} ${cells[at + stride - 1]! / 1_000}\n`
  }
  return {
    write: (series, cells, at, exemplars) => inner.write(series, cells, at, exemplars) + line(series, cells, at),
    patch (series, cells, at, before, beforeAt, out, from, to) {
      if (cells[at + stride - 1] !== before[beforeAt + stride - 1]) return false
      return inner.patch(series, cells, at, before, beforeAt, out, from, to - Buffer.byteLength(line(series, cells, at)))
    }
  }
}
