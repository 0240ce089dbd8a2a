import { labelText } from '../series/labels.ts'
import type { BankSnapshot, SeriesIdentity } from '../series/snapshot.ts'

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
  const split = parts.map(part => {
    const rows: number[] = []
    part.series.forEach((series, row) => {
      const text = textWithout(series, label)
      const place = text === undefined ? undefined : places.get(text)
      // What went to an overflow series on either side stays where it was counted first.
      if (place === undefined || rest[place.bank]!.stride !== part.stride) return
      subtract(rest[place.bank]!, place.row, part, row)
      rows.push(row)
    })
    return selectRows(part, rows)
  })
  return [...rest.map(bank => selectRows(bank, bank.series.flatMap((_, row) => bank.cells[row * bank.stride]! > 0 ? [row] : []))), ...split]
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

/** Some rows of a bank, its exemplars left behind unless it is all of them. */
export function selectRows (bank: BankSnapshot, rows: readonly number[]): BankSnapshot {
  if (rows.length === bank.series.length) return bank
  const { stride } = bank
  const cells = new Float64Array(rows.length * stride)
  rows.forEach((row, i) => cells.set(bank.cells.subarray(row * stride, (row + 1) * stride), i * stride))
  return { bounds: bank.bounds, stride, cells, series: rows.map(row => bank.series[row]!) }
}
