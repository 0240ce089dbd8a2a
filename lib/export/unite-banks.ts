import { joinExemplars } from '../series/exemplars.ts'
import type { BankSnapshot, RowExemplars, SeriesIdentity } from '../series/snapshot.ts'
import { areBounds } from './bounds.ts'
import { selectRows } from './otlp-split.ts'

interface Place {
  readonly bank: BankSnapshot
  readonly cells: Float64Array
  readonly row: number
  readonly exemplars: Map<number, RowExemplars>
}

/**
 * Banks in which each key stands once: of series that have the same, the first has the sum of all where sums mean something and
 * the bounds agree, and what it had where not. Those that are lost are told of.
 */
export function uniteBanks<B extends BankSnapshot> (banks: readonly B[], isAdditive: boolean, keyOf: (series: SeriesIdentity, bank: B) => string, onLost: () => void = () => {}): B[] {
  const places = new Map<string, Place>()
  const united = banks.map(bank => {
    const cells = bank.cells.slice()
    const exemplars = new Map(bank.exemplars)
    const rows: number[] = []
    bank.series.forEach((series, row) => {
      const key = keyOf(series, bank)
      const place = places.get(key)
      if (place === undefined) {
        places.set(key, { bank, cells, row, exemplars })
        rows.push(row)
      } else if (isAdditive && areBounds(place.bank.bounds, bank.bounds)) {
        add(place, cells, row)
        if (exemplars.has(row)) place.exemplars.set(place.row, joinExemplars(place.exemplars.get(place.row) ?? [], exemplars.get(row)!))
      } else {
        onLost()
      }
    })
    return { bank, cells, exemplars, rows }
  })
  return united.map(({ bank, cells, exemplars, rows }) => ({ ...bank, ...selectRows({ ...bank, cells, exemplars: exemplars.size > 0 ? exemplars : undefined }, rows) }))
}

/** Both count since the earlier of their beginnings. */
function add ({ bank: { stride }, cells, row }: Place, more: Float64Array, moreRow: number): void {
  const [at, moreAt] = [row * stride, moreRow * stride]
  for (let i = 0; i < stride - 1; i++) cells[at + i]! += more[moreAt + i]!
  cells[at + stride - 1] = Math.min(cells[at + stride - 1]!, more[moreAt + stride - 1]!)
}
