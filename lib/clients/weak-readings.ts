import type { Gauge } from '../series/gauge.ts'
import { undoable } from './all-or-nothing.ts'

/** What an object says of itself, by the gauge it is for; what it cannot say is left out. */
export type Reading<K extends string> = Readonly<Partial<Record<K, number | undefined>>>

interface Watched<K extends string> {
  readonly values: readonly string[]
  readonly object: WeakRef<object>
  readonly read: (object: object) => Reading<K>
}

/** How the values of objects with the same label values become one. */
type Combine = (total: number, value: number) => number

/**
 * Objects that are read at each snapshot and held weakly: pools for their connections, caches for their size. Those with
 * the same label values are shown as their sum, or what `combine` makes of them.
 */
export class WeakReadings<K extends string> {
  readonly #watched = new Set<Watched<K>>()
  readonly #combine: Combine
  /** How to forget what is shown, by label values and gauge. */
  readonly #shown = new Map<string, Map<K, () => void>>()

  constructor (combine: Combine = (total, value) => total + value) {
    this.#combine = combine
  }

  /** `read` is a function of its module, not a closure, which would hold the object. Returns how to stop. */
  watch<O extends object> (values: readonly string[], object: O, read: (object: O) => Reading<K>): () => void {
    const watched = { values, object: new WeakRef(object), read: read as Watched<K>['read'] }
    this.#watched.add(watched)
    return undoable(() => { this.#watched.delete(watched) })
  }

  /**
   * Sets the gauges; series of which nothing is left, no object or no value, are forgotten. An object that cannot be read is
   * left out; the first error of one is thrown at the end.
   */
  show (gauges: Readonly<Record<K, Gauge<string>>>): void {
    const faults: unknown[] = []
    const totals = this.#read(faults)
    for (const [key, shown] of this.#shown) {
      const combined = totals.get(key)?.combined
      for (const [name, forget] of shown) if (combined?.has(name) !== true) forget()
    }
    this.#shown.clear()
    for (const [key, { values, combined }] of totals) {
      const shown = new Map<K, () => void>()
      for (const [name, value] of combined) {
        const series = gauges[name].bind(values)
        series.set(value)
        shown.set(name, () => gauges[name].drop(series))
      }
      this.#shown.set(key, shown)
    }
    if (faults.length > 0) throw faults[0]
  }

  #read (faults: unknown[]): Map<string, { values: readonly string[], combined: Map<K, number> }> {
    const totals = new Map<string, { values: readonly string[], combined: Map<K, number> }>()
    for (const watched of this.#watched) {
      const object = watched.object.deref()
      if (object === undefined) {
        this.#watched.delete(watched)
        continue
      }
      let reading: Reading<K>
      try {
        reading = watched.read(object)
      } catch (error) {
        faults.push(error)
        continue
      }
      const key = watched.values.join('\n')
      const total = totals.get(key) ?? { values: watched.values, combined: new Map<K, number>() }
      totals.set(key, total)
      for (const [name, value] of Object.entries(reading) as [K, number | undefined][]) {
        if (value === undefined) continue
        const before = total.combined.get(name)
        total.combined.set(name, before === undefined ? value : this.#combine(before, value))
      }
    }
    return totals
  }
}
