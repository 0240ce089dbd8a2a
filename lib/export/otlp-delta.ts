import type { DataPoint } from '@opentelemetry/sdk-metrics'
import type { ExponentialBuckets } from '../series/exponential.ts'
import { subtractExponential } from '../series/exponential.ts'
import type { BankSnapshot, SeriesIdentity } from '../series/snapshot.ts'

/** A row of numbers of one series and the time since which they count. The numbers are good until the next row is asked for. */
export interface Row {
  readonly cells: Float64Array
  readonly at: number
  readonly sinceMs: number
  readonly exponential: ExponentialBuckets | undefined
}

/** What arrived last of a series. */
interface Arrived {
  readonly cells: readonly number[]
  readonly exponential: ExponentialBuckets | undefined
  readonly takenMs: number
}

/** What a point was made from. */
interface Sent {
  readonly bank: BankSnapshot
  readonly row: number
}

/** What arrived of each series, for a receiver that wants only what came since. */
export class DeltaMemory {
  #arrived = new Map<SeriesIdentity, Arrived>()
  readonly #sent = new Map<DataPoint<unknown>, Sent>()
  #takenMs = 0
  #scratch = new Float64Array(0)

  /** A collection begins: points of the one before can no longer be confirmed. */
  begin (takenMs: number): void {
    this.#takenMs = takenMs
    this.#sent.clear()
  }

  /** The row since it arrived last; the first time, or after a reset, since the series was made. */
  row (bank: BankSnapshot, row: number): Row {
    const { cells, stride, exponential } = bank
    const at = row * stride
    const sinceMs = cells[at + stride - 1]!
    const before = this.#arrived.get(bank.series[row]!)
    if (before === undefined || before.cells.at(-1) !== sinceMs) return { cells, at, sinceMs, exponential }
    // The buckets of an exponential histogram move; its count and sum do not.
    const comparable = exponential === undefined ? stride - 1 : 2
    if (this.#scratch.length < stride) this.#scratch = new Float64Array(stride)
    for (let i = 0; i < comparable; i++) this.#scratch[i] = cells[at + i]! - before.cells[i]!
    return {
      cells: this.#scratch,
      at: 0,
      sinceMs: before.takenMs,
      exponential: exponential === undefined ? undefined : subtractExponential(exponential, before.exponential!)
    }
  }

  /** Notes what a point was made from. */
  made (point: DataPoint<unknown>, bank: BankSnapshot, row: number): void {
    this.#sent.set(point, { bank, row })
  }

  /** The collection is whole: what is remembered of series that are no longer there is forgotten, so that no more is held than was sent. */
  end (): void {
    if (this.#arrived.size <= this.#sent.size) return
    const held = new Map<SeriesIdentity, Arrived>()
    for (const { bank, row } of this.#sent.values()) {
      const series = bank.series[row]!
      const arrived = this.#arrived.get(series)
      if (arrived !== undefined) held.set(series, arrived)
    }
    this.#arrived = held
  }

  /** These points of the collection arrived: what is sent of their series next is measured from them. */
  confirm (points: Iterable<DataPoint<unknown>>): void {
    for (const point of points) {
      const sent = this.#sent.get(point)
      if (sent === undefined) continue
      const { bank: { cells, stride, series, exponential }, row } = sent
      const copied: number[] = []
      for (let i = row * stride; i < (row + 1) * stride; i++) copied.push(cells[i]!)
      this.#arrived.set(series[row]!, { cells: copied, exponential, takenMs: this.#takenMs })
    }
  }

  /** Everything of the collection arrived. */
  confirmAll (): void {
    this.confirm(this.#sent.keys())
  }
}
