import type { RowExemplars, SeriesIdentity } from '../series/snapshot.ts'
import type { ByteWriter } from './byte-writer.ts'
import { digitsOf, toSampleValue } from './byte-writer.ts'
import { exemplarText } from './exemplar-text.ts'

/** How the rows of a bank are written in one dialect: from nothing, or from what they were with new numbers. */
export interface RowWriter {
  write (series: SeriesIdentity, cells: Float64Array, at: number, exemplars?: RowExemplars): string
  /**
   * Writes a row whose old bytes are `from` to `to` of the writer's source, by copying them and replacing the numbers;
   * `false`, with nothing written, where that cannot be done because an integer grew a digit.
   */
  patch (series: SeriesIdentity, cells: Float64Array, at: number, before: Float64Array, beforeAt: number, out: ByteWriter, from: number, to: number): boolean
}

/** `name{labels} value` */
export function scalarWriter (name: string, constantText: string): RowWriter {
  const open = constantText === '' ? `${name}{` : `${name}{${constantText},`
  const bare = constantText === '' ? `${name} ` : `${name}{${constantText}} `
  const openBytes = Buffer.byteLength(`${open}} `)
  const bareBytes = Buffer.byteLength(bare)
  return {
    write: ({ text }, cells, at, exemplars) => `${text === '' ? bare : `${open}${text}} `}${toSampleValue(cells[at]!)}${exemplarText(exemplars?.[0]?.[0])}\n`,
    patch ({ text }, cells, at, before, beforeAt, out, from, to) {
      out.copyTo(from + (text === '' ? bareBytes : openBytes + Buffer.byteLength(text)))
      out.number(cells[at]!)
      out.skipTo(to - 1)
      return true
    }
  }
}

/** Which lines of a histogram follow its buckets: where values may be negative, OpenMetrics forbids both, and OpenTelemetry the sum. */
export type Totals = 'sum and count' | 'count' | 'none'

/** The lines of a histogram: its buckets, +Inf, sum and count. */
export function histogramWriter (name: string, bounds: readonly string[], constantText: string, totals: Totals): RowWriter {
  const hasSum = totals === 'sum and count'
  const tails = [...bounds, '+Inf'].map(bound => `le="${bound}"} `)
  const constantBytes = constantText === '' ? 0 : Buffer.byteLength(constantText) + 1
  /** Bytes of each line before its number, the label text not counted. */
  const bucketBytes = tails.map(tail => Buffer.byteLength(`${name}_bucket{,${tail}`) + constantBytes)
  const bucketsBytes = bucketBytes.reduce((sum, bytes) => sum + bytes + 1, 0)
  const sumBytes = Buffer.byteLength(`${name}_sum{} `) + constantBytes
  const countBytes = Buffer.byteLength(`${name}_count{} `) + constantBytes
  return {
    write ({ text }, cells, at, exemplars) {
      const labels = constantText === '' || text === '' ? constantText + text : `${constantText},${text}`
      const bucket = labels === '' ? `${name}_bucket{` : `${name}_bucket{${labels},`
      const set = labels === '' ? ' ' : `{${labels}} `
      let lines = ''
      let cumulative = 0
      for (let i = 0; i < bounds.length; i++) {
        cumulative += cells[at + 2 + i]!
        lines += `${bucket}${tails[i]!}${cumulative}${exemplarText(exemplars?.[i]?.[0])}\n`
      }
      lines += `${bucket}${tails[bounds.length]!}${cells[at]!}${exemplarText(exemplars?.[bounds.length]?.[0])}\n`
      if (hasSum) lines += `${name}_sum${set}${toSampleValue(cells[at + 1]!)}\n`
      return totals === 'none' ? lines : `${lines}${name}_count${set}${cells[at]!}\n`
    },
    patch ({ text }, cells, at, before, beforeAt, out, from, to) {
      if (text === '' || !hasSum) return false
      const count = cells[at]!
      const countDigits = digitsOf(count)
      if (countDigits !== digitsOf(before[beforeAt]!)) return false
      let was = 0
      let is = 0
      let digits = countDigits
      for (let i = 2; i < bounds.length + 2; i++) {
        was += before[beforeAt + i]!
        is += cells[at + i]!
        const length = digitsOf(is)
        if (was !== is && digitsOf(was) !== length) return false
        digits += length
      }
      const textBytes = Buffer.byteLength(text)
      const bucketsEnd = from + bucketsBytes + bucketBytes.length * textBytes + digits
      out.copyTo(bucketsEnd + sumBytes + textBytes)
      let position = out.position - (bucketsEnd + sumBytes + textBytes - from)
      is = 0
      for (let i = 0; i < bounds.length; i++) {
        is += cells[at + 2 + i]!
        position = out.integer(is, position + bucketBytes[i]! + textBytes) + 1
      }
      out.integer(count, position + bucketBytes[bounds.length]! + textBytes)
      out.number(cells[at + 1]!)
      out.skipTo(to - 1 - countDigits - countBytes - textBytes - 1)
      out.copyTo(to)
      out.integer(count, out.position - 1 - countDigits)
      return true
    }
  }
}
