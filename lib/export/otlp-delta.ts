import type { DataPoint, MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { subtractExponential } from '../series/exponential.ts'
import type { BankSnapshot, SeriesIdentity } from '../series/snapshot.ts'
import { ArrivedRows, NOWHERE } from './arrived-rows.ts'
import type { Rows } from './otlp-points.ts'

/** The points of one metric, in the order in which they are made and sent, and what they are made from. */
class Made {
  readonly series: readonly SeriesIdentity[]
  /** By point, where it is noted what arrived. */
  readonly places: Int32Array
  /** Its place in the collection. */
  readonly ordinal: number
  #banks: readonly BankSnapshot[]
  #points: readonly DataPoint<unknown>[]
  /** How many arrived, and from where the next was made. */
  #arrived = 0
  #bank = 0
  #row = 0

  constructor (banks: readonly BankSnapshot[], points: readonly DataPoint<unknown>[], ordinal: number) {
    this.series = banks.length === 1 ? banks[0]!.series : banks.flatMap(({ series }) => series)
    this.places = new Int32Array(this.series.length).fill(NOWHERE)
    this.ordinal = ordinal
    this.#banks = banks
    this.#points = points
  }

  /** Has `place` say for each point where it is noted what arrives. */
  placeAll (place: (bank: BankSnapshot, row: number, before: number) => number): void {
    let point = 0
    for (const bank of this.#banks) {
      for (let row = 0; row < bank.series.length; row++, point++) this.places[point] = place(bank, row, this.places[point]!)
    }
  }

  /** Those that arrived are no longer needed. */
  arrive (points: readonly DataPoint<unknown>[], write: (bank: BankSnapshot, row: number, place: number) => number): void {
    for (const point of points) {
      const i = this.#arrived
      if (this.#points[i] !== point) continue
      while (this.#row === this.#banks[this.#bank]!.series.length) {
        this.#bank++
        this.#row = 0
      }
      this.places[i] = write(this.#banks[this.#bank]!, this.#row, this.places[i]!)
      this.#row++
      this.#arrived++
    }
    if (this.#arrived === this.series.length) this.#banks = this.#points = []
  }
}

/** What arrived of each series, for a receiver that wants only what came since. */
export class DeltaMemory {
  #rows = new ArrivedRows()
  #takenMs = 0
  /** Those of the collection before, while one is made. */
  #last: readonly Made[] = []
  /** Of the last collection, by what all parts of a metric have in common. */
  readonly #made = new Map<MetricData['descriptor'], Made>()
  #differences = new Float64Array(0)

  /** A collection begins: points of the one before can no longer be confirmed. */
  begin (takenMs: number): void {
    this.#takenMs = takenMs
    this.#last = [...this.#made.values()]
    this.#made.clear()
  }

  /** Where it is noted what the points of a metric are made from. */
  pointsOf (descriptor: MetricData['descriptor'], banks: readonly BankSnapshot[], points: readonly DataPoint<unknown>[]): Made {
    const made = new Made(banks, points, this.#made.size)
    this.#made.set(descriptor, made)
    return made
  }

  /**
   * Some rows of a bank, from which the next points of a metric are made, the first of them that of number `point`: what came since each series arrived
   * last; the first time, or after a reset, since it was made. They are good until the next are asked for.
   */
  differences (made: Made, point: number, bank: BankSnapshot, from: number, to: number): Rows {
    const { series, stride } = bank
    const length = (to - from) * stride
    if (this.#differences.length < length) this.#differences = new Float64Array(length)
    const cells = this.#differences
    const { places } = made
    const last = this.#last[made.ordinal]
    let { exponential } = bank
    for (let row = from; row < to; row++, point++) {
      // Most series stand where they stood in the last collection.
      const place = places[point] = last?.series[point] === series[row] ? last!.places[point]! : this.#rows.find(series[row]!)
      const isKnown = this.#rows.subtract(place, bank, row, cells, (row - from) * stride)
      if (isKnown && exponential !== undefined) exponential = subtractExponential(exponential, this.#rows.exponentialOf(series[row]!))
    }
    return { cells, exponential }
  }

  /** The collection is whole: what is remembered of series that are no longer there is forgotten, so that no more is held than was sent. */
  end (): void {
    this.#last = []
    let points = 0
    for (const { series } of this.#made.values()) points += series.length
    const all = this.#rows
    if (all.size <= points && !all.hasGaps) return
    const held = this.#rows = new ArrivedRows()
    for (const made of this.#made.values()) made.placeAll((bank, row, place) => held.adopt(all, place, bank, row))
  }

  /** This part of the collection arrived: what is sent of its series next is measured from it. */
  confirm ({ scopeMetrics }: Pick<ResourceMetrics, 'scopeMetrics'>): void {
    for (const { metrics } of scopeMetrics) {
      for (const { descriptor, dataPoints } of metrics) this.#made.get(descriptor)?.arrive(dataPoints, this.#write)
    }
  }

  readonly #write = (bank: BankSnapshot, row: number, place: number): number => this.#rows.write(place, bank, row, this.#takenMs)
}
