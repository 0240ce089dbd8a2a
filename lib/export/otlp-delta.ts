import type { ExponentialBuckets } from '../series/exponential.ts'
import { subtractExponential } from '../series/exponential.ts'
import type { BankSnapshot, SeriesIdentity } from '../series/snapshot.ts'

/** A row of numbers of one series and the time since which they count. */
export interface Row {
  readonly cells: Float64Array
  readonly at: number
  readonly sinceMs: number
  readonly exponential: ExponentialBuckets | undefined
}

/** A row as the store has it: since the series was made. */
export function cumulativeRow ({ cells, stride, exponential }: BankSnapshot, row: number): Row {
  return { cells, at: row * stride, sinceMs: cells[(row + 1) * stride - 1]!, exponential }
}

interface Remembered {
  readonly cells: Float64Array
  readonly exponential: ExponentialBuckets | undefined
}

/** What was pushed last, for a receiver that wants only what came since. */
export class DeltaMemory {
  #last = new Map<SeriesIdentity, Remembered>()
  #next = new Map<SeriesIdentity, Remembered>()
  #lastMs = 0
  #nextMs = 0

  /** The row since the collection before; the first time, or after a reset, since the series was made. */
  row (bank: BankSnapshot, row: number): Row {
    const { cells, stride, exponential } = bank
    const now = cells.slice(row * stride, (row + 1) * stride)
    const sinceMs = now[stride - 1]!
    this.#next.set(bank.series[row]!, { cells: now, exponential })
    const before = this.#last.get(bank.series[row]!)
    if (before === undefined || before.cells.at(-1) !== sinceMs) return { cells: now, at: 0, sinceMs, exponential }
    // The buckets of an exponential histogram move; its count and sum do not.
    const comparable = exponential === undefined ? stride - 1 : 2
    return {
      cells: now.map((value, i) => i < comparable ? value - before.cells[i]! : value),
      at: 0,
      sinceMs: this.#lastMs,
      exponential: exponential === undefined ? undefined : subtractExponential(exponential, before.exponential!)
    }
  }

  /** A collection begins; what the one before noted is forgotten unless it was confirmed. */
  begin (takenMs: number): void {
    this.#next = new Map()
    this.#nextMs = takenMs
  }

  /** The collection arrived: the next is measured from it. */
  confirm (): void {
    this.#last = this.#next
    this.#lastMs = this.#nextMs
  }
}
