import type { RowWriter } from './row-writer.ts'

/**
 * What another writer writes, and the line of OpenMetrics that says since when the series counts, in seconds since the epoch.
 * Under OpenTelemetry's names no label is constant: all are the series' own.
 */
export function createdWriter (inner: RowWriter, name: string, stride: number): RowWriter {
  const bare = `${name}_created `
  const open = `${name}_created{`
  const bareBytes = Buffer.byteLength(bare)
  const openBytes = Buffer.byteLength(`${open}} `)
  let lastMs = 0
  let lastSeconds = '0'
  // Most series of a metric are made in the same few moments.
  const toSeconds = (createdMs: number): string => {
    if (createdMs !== lastMs) lastSeconds = String((lastMs = createdMs) / 1_000)
    return lastSeconds
  }
  return {
    write (series, cells, at, exemplars) {
      const { text } = series
      return `${inner.write(series, cells, at, exemplars)}${text === '' ? bare : `${open}${text}} `}${toSeconds(cells[at + stride - 1]!)}\n`
    },
    patch (series, cells, at, before, beforeAt, out, from, to) {
      const createdMs = cells[at + stride - 1]!
      if (createdMs !== before[beforeAt + stride - 1]) return false
      const { text } = series
      const bytes = (text === '' ? bareBytes : openBytes + Buffer.byteLength(text)) + toSeconds(createdMs).length + 1
      return inner.patch(series, cells, at, before, beforeAt, out, from, to - bytes)
    }
  }
}
