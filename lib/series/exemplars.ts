import type { Bank } from './bank.ts'
import type { Series } from './series.ts'
import type { BankSnapshot, Exemplar, RowExemplars } from './snapshot.ts'
import type { Traces } from './traces.ts'
import { TraceAsker } from './traces.ts'

/** For how long a smaller value does not take the place of the largest, in ms. */
const LARGEST_STAYS_MS = 60_000

/** Of each bucket, the last value and the largest that were recorded within a trace, with that trace. Nothing is kept of any other. */
export class Exemplars {
  readonly asker: TraceAsker
  readonly #rows = new Map<Series, (readonly Exemplar[] | undefined)[]>()

  constructor (traces: Traces) {
    this.asker = new TraceAsker(traces)
  }

  /** Notes a value if it was recorded within a trace: for its bucket, or for the one value that there is. */
  offer (series: Series, value: number): void {
    const labels = this.asker.active()
    if (labels === undefined) return
    const { bounds } = series.bank
    const bucket = bounds.findIndex(bound => value <= bound)
    const slot = bucket === -1 ? bounds.length : bucket
    let row = this.#rows.get(series)
    if (row === undefined) this.#rows.set(series, row = [])
    row[slot] = withNext(row[slot], { value, timestampMs: Date.now(), labels })
  }

  forget (series: Series): void {
    this.#rows.delete(series)
  }

  clear (): void {
    this.#rows.clear()
  }

  /** By row of a bank; `undefined` where there is none. */
  of (bank: Bank): ReadonlyMap<number, RowExemplars> | undefined {
    const rows = new Map<number, RowExemplars>()
    for (const [series, row] of this.#rows) if (series.bank === bank) rows.set(series.at / bank.stride, [...row])
    return rows.size === 0 ? undefined : rows
  }
}

/** What is kept of a bucket once the next value came. */
export function withNext (kept: readonly Exemplar[] | undefined, next: Exemplar): readonly Exemplar[] {
  const largest = kept?.at(-1)
  const isLarger = largest !== undefined && largest.value > next.value && next.timestampMs - largest.timestampMs < LARGEST_STAYS_MS
  return isLarger ? [next, largest] : [next]
}

/** What is kept of two rows that are one. */
export function joinExemplars (a: RowExemplars, b: RowExemplars): RowExemplars {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => {
    const found = [...a[i] ?? [], ...b[i] ?? []].sort((one, other) => other.timestampMs - one.timestampMs)
    const largest = found.toSorted((one, other) => other.value - one.value)
    return found[0] === largest[0] ? found.slice(0, 1) : [found[0]!, largest[0]!]
  })
}

/** A histogram's bank for a counter that shows its count: the last record within a trace, which was one. */
export function withExemplarsOfCount (bank: BankSnapshot): BankSnapshot {
  if (bank.exemplars === undefined) return bank
  const exemplars = new Map<number, RowExemplars>()
  for (const [row, slots] of bank.exemplars) {
    const [last] = slots.flatMap(slot => slot ?? []).sort((a, b) => b.timestampMs - a.timestampMs)
    exemplars.set(row, [[{ ...last!, value: 1 }]])
  }
  return { ...bank, exemplars }
}
