import { labelText } from '../series/labels.ts'
import type { BankSnapshot, Exemplar, RowExemplars, SeriesIdentity } from '../series/snapshot.ts'

interface Place {
  readonly bank: number
  readonly row: number
}

/**
 * The histograms of one family without what another one holds of them with one more label, and those beside them: the sum
 * over the label is what the first family counted.
 */
export function splitBanks (whole: readonly BankSnapshot[], parts: readonly BankSnapshot[], label: string): readonly BankSnapshot[] {
  if (parts.every(bank => bank.series.length === 0)) return whole
  const places = new Map<string, Place>()
  whole.forEach((bank, b) => bank.series.forEach(({ text }, row) => places.set(text, { bank: b, row })))
  const rest = whole.map(bank => ({ ...bank, cells: bank.cells.slice() }))
  const moved: Exemplar[] = []
  const split = parts.map(part => {
    const rows: number[] = []
    part.series.forEach((series, row) => {
      const text = textWithout(series, label)
      const place = text === undefined ? undefined : places.get(text)
      // What went to an overflow series on either side stays where it was counted first.
      if (place === undefined || rest[place.bank]!.stride !== part.stride) return
      subtract(rest[place.bank]!, place.row, part, row)
      rows.push(row)
      moved.push(...(part.exemplars?.get(row) ?? []).flat().filter(exemplar => exemplar !== undefined))
    })
    return selectRows(part, rows)
  })
  return [...rest.map(bank => selectRows(withoutExemplars(bank, moved), bank.series.flatMap((_, row) => bank.cells[row * bank.stride]! > 0 ? [row] : []))), ...split]
}

/** A record that was split off took its exemplar along. */
function withoutExemplars (bank: BankSnapshot, moved: readonly Exemplar[]): BankSnapshot {
  if (bank.exemplars === undefined || moved.length === 0) return bank
  const keys = new Set(moved.map(keyOf))
  return { ...bank, exemplars: new Map([...bank.exemplars].map(([row, slots]) => [row, slots.map(slot => slot?.filter(exemplar => !keys.has(keyOf(exemplar))))])) }
}

function keyOf ({ value, labels }: Exemplar): string {
  return JSON.stringify([value, labels['trace_id'], labels['span_id']])
}

function textWithout ({ names, values }: SeriesIdentity, label: string): string | undefined {
  const at = names.indexOf(label)
  return at === -1 ? undefined : labelText(names.toSpliced(at, 1), values.toSpliced(at, 1))
}

/** Counts are whole numbers and stay exact; the sum is kept from falling below nothing by rounding. */
function subtract (from: BankSnapshot, row: number, part: BankSnapshot, partRow: number): void {
  const at = row * from.stride
  const partAt = partRow * part.stride
  for (let i = 0; i < from.stride - 1; i++) from.cells[at + i]! -= part.cells[partAt + i]!
  from.cells[at + 1] = Math.max(0, from.cells[at + 1]!)
}

/** Some rows of a bank. */
export function selectRows (bank: BankSnapshot, rows: readonly number[]): BankSnapshot {
  if (rows.length === bank.series.length) return bank
  const { bounds, stride } = bank
  const cells = new Float64Array(rows.length * stride)
  rows.forEach((row, i) => cells.set(bank.cells.subarray(row * stride, (row + 1) * stride), i * stride))
  const exemplars = bank.exemplars && new Map<number, RowExemplars>(rows.map((row, i) => [i, bank.exemplars!.get(row) ?? []]))
  return { bounds, stride, cells, series: rows.map(row => bank.series[row]!), exemplars }
}
