import type { DataPoint, MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics'
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

/** What arrived last of a series: written over when more arrives, since new ones would have to be copied by the garbage collection. */
interface Arrived {
  readonly cells: number[]
  exponential: ExponentialBuckets | undefined
  takenMs: number
}

/** The points of one metric and what they were made from. */
class Made {
  readonly #points: (DataPoint<unknown> | undefined)[] = []
  readonly #banks: BankSnapshot[] = []
  readonly #rows: number[] = []
  /** How many arrived: they are sent in their order. */
  #arrived = 0

  get size (): number {
    return this.#points.length
  }

  add (point: DataPoint<unknown>, bank: BankSnapshot, row: number): void {
    this.#points.push(point)
    this.#banks.push(bank)
    this.#rows.push(row)
  }

  forEach (use: (bank: BankSnapshot, row: number) => void): void {
    this.#banks.forEach((bank, i) => use(bank, this.#rows[i]!))
  }

  /** Those that arrived are no longer needed. */
  arrive (points: Iterable<DataPoint<unknown>>, use: (bank: BankSnapshot, row: number) => void): void {
    for (const point of points) {
      const i = this.#arrived
      if (this.#points[i] !== point) continue
      this.#points[i] = undefined
      this.#arrived++
      use(this.#banks[i]!, this.#rows[i]!)
    }
  }
}

/** What arrived of each series, for a receiver that wants only what came since. */
export class DeltaMemory {
  #arrived = new Map<SeriesIdentity, Arrived>()
  /** Of the last collection, by what all parts of a metric have in common. */
  readonly #made = new Map<MetricData['descriptor'], Made>()
  #takenMs = 0
  #scratch = new Float64Array(0)

  /** A collection begins: points of the one before can no longer be confirmed. */
  begin (takenMs: number): void {
    this.#takenMs = takenMs
    this.#made.clear()
  }

  /** Where to note what the points of a metric are made from, in the order in which they are sent. */
  pointsOf (descriptor: MetricData['descriptor']): Made {
    const made = new Made()
    this.#made.set(descriptor, made)
    return made
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

  /** The collection is whole: what is remembered of series that are no longer there is forgotten, so that no more is held than was sent. */
  end (): void {
    let points = 0
    for (const { size } of this.#made.values()) points += size
    if (this.#arrived.size <= points) return
    const held = new Map<SeriesIdentity, Arrived>()
    for (const made of this.#made.values()) {
      made.forEach((bank, row) => {
        const series = bank.series[row]!
        const arrived = this.#arrived.get(series)
        if (arrived !== undefined) held.set(series, arrived)
      })
    }
    this.#arrived = held
  }

  /** This part of the collection arrived: what is sent of its series next is measured from it. */
  confirm ({ scopeMetrics }: Pick<ResourceMetrics, 'scopeMetrics'>): void {
    for (const { metrics } of scopeMetrics) {
      for (const { descriptor, dataPoints } of metrics) this.#made.get(descriptor)?.arrive(dataPoints, this.#remember)
    }
  }

  readonly #remember = ({ cells, stride, series, exponential }: BankSnapshot, row: number): void => {
    const at = row * stride
    const arrived = this.#arrived.get(series[row]!)
    if (arrived === undefined) {
      const copied: number[] = []
      for (let i = 0; i < stride; i++) copied.push(cells[at + i]!)
      this.#arrived.set(series[row]!, { cells: copied, exponential, takenMs: this.#takenMs })
    } else {
      for (let i = 0; i < stride; i++) arrived.cells[i] = cells[at + i]!
      // An exponential histogram may have fewer buckets than before.
      arrived.cells.length = stride
      arrived.exponential = exponential
      arrived.takenMs = this.#takenMs
    }
  }
}
