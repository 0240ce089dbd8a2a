import { joinExemplars } from '../series/exemplars.ts'
import { mergeExponential } from '../series/exponential.ts'
import type { ExponentialBuckets } from '../series/exponential.ts'
import type { BankSnapshot, RowExemplars, SeriesIdentity } from '../series/snapshot.ts'
import { areBounds } from './bounds.ts'
import { selectRows } from './otlp-split.ts'

/** A bank while others are added to it. */
interface Home<B extends BankSnapshot> {
  readonly bank: B
  readonly cells: Float64Array
  readonly exemplars: Map<number, RowExemplars>
  exponential: ExponentialBuckets | undefined
  /** Those that stay. */
  readonly rows: number[]
}

/**
 * Banks in which each key stands once: of series that have the same, the first has the sum of all where sums mean something and
 * the bounds agree, and what it had where not. Those that are lost are told of.
 */
export function uniteBanks<B extends BankSnapshot> (banks: readonly B[], isAdditive: boolean, keyOf: (series: SeriesIdentity, bank: B) => string, onLost: () => void = () => {}): B[] {
  const places = new Map<string, { readonly home: Home<B>, readonly row: number }>()
  const homes = banks.map(bank => {
    const home: Home<B> = { bank, cells: bank.cells.slice(), exemplars: new Map(bank.exemplars), exponential: bank.exponential, rows: [] }
    bank.series.forEach((series, row) => {
      const key = keyOf(series, bank)
      const place = places.get(key)
      if (place === undefined) {
        places.set(key, { home, row })
        home.rows.push(row)
      } else if (isAdditive && areAlike(place.home.bank, bank)) {
        add(place.home, place.row, home, row)
      } else {
        onLost()
      }
    })
    return home
  })
  return homes.map(({ bank, cells, exemplars, exponential, rows }) => ({
    ...bank,
    ...selectRows({ ...bank, cells, exemplars: exemplars.size > 0 ? exemplars : undefined }, rows),
    ...(exponential !== undefined && { exponential })
  }))
}

function areAlike (a: BankSnapshot, b: BankSnapshot): boolean {
  return areBounds(a.bounds, b.bounds) && (a.exponential === undefined) === (b.exponential === undefined)
}

/** Both count since the earlier of their beginnings. */
function add<B extends BankSnapshot> (to: Home<B>, row: number, from: Home<B>, moreRow: number): void {
  const { bank: { stride }, cells, exemplars } = to
  const [at, moreAt] = [row * stride, moreRow * stride]
  for (let i = 0; i < stride - 1; i++) cells[at + i]! += from.cells[moreAt + i]!
  cells[at + stride - 1] = Math.min(cells[at + stride - 1]!, from.cells[moreAt + stride - 1]!)
  if (from.exemplars.has(moreRow)) exemplars.set(row, joinExemplars(exemplars.get(row) ?? [], from.exemplars.get(moreRow)!))
  if (to.exponential !== undefined) to.exponential = mergeExponential(to.exponential, from.exponential!)
}
