import type { Bank } from './bank.ts'
import type { Series } from './series.ts'
import type { BankSnapshot, Exemplar, RowExemplars } from './snapshot.ts'
import type { Traces } from './traces.ts'
import { TraceAsker } from './traces.ts'

/** The last value of each bucket that was recorded within a trace, with that trace. Nothing is kept of any other. */
export class Exemplars {
  readonly #asker: TraceAsker
  readonly #rows = new Map<Series, (Exemplar | undefined)[]>()

  constructor (traces: Traces) {
    this.#asker = new TraceAsker(traces)
  }

  /** Notes a value if it was recorded within a trace: for its bucket, or for the one value that there is. */
  offer (series: Series, value: number): void {
    const labels = this.#asker.active()
    if (labels === undefined) return
    const { bounds } = series.bank
    const bucket = bounds.findIndex(bound => value <= bound)
    const slot = bucket === -1 ? bounds.length : bucket
    let row = this.#rows.get(series)
    if (row === undefined) this.#rows.set(series, row = [])
    row[slot] = { value, timestampMs: Date.now(), labels }
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

/** A histogram's bank for a counter that shows its count: the last record within a trace, which was one. */
export function withExemplarsOfCount (bank: BankSnapshot): BankSnapshot {
  if (bank.exemplars === undefined) return bank
  const exemplars = new Map<number, RowExemplars>()
  for (const [row, slots] of bank.exemplars) {
    const [last] = slots.filter(exemplar => exemplar !== undefined).sort((a, b) => b.timestampMs - a.timestampMs)
    exemplars.set(row, [{ ...last!, value: 1 }])
  }
  return { ...bank, exemplars }
}
