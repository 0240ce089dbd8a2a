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
  /** How to forget what is shown, by label values. */
  readonly #shown = new Map<string, () => void>()

  constructor (combine: Combine = (total, value) => total + value) {
    this.#combine = combine
  }

  /** `read` is a function of its module, not a closure, which would hold the object. Returns how to stop. */
  watch<O extends object> (values: readonly string[], object: O, read: (object: O) => Reading<K>): () => void {
    const watched = { values, object: new WeakRef(object), read: read as Watched<K>['read'] }
    this.#watched.add(watched)
    return undoable(() => { this.#watched.delete(watched) })
  }

  /** Sets the gauges; series of which no object is left are forgotten. */
  show (gauges: Readonly<Record<K, Gauge<string>>>): void {
    const totals = this.#read()
    for (const [key, forget] of this.#shown) {
      if (totals.has(key)) continue
      forget()
      this.#shown.delete(key)
    }
    for (const [key, { values, combined }] of totals) {
      const shown = [...combined].map(([name, value]) => {
        const series = gauges[name].bind(values)
        series.set(value)
        return () => gauges[name].drop(series)
      })
      this.#shown.set(key, () => { for (const forget of shown) forget() })
    }
  }

  #read (): Map<string, { values: readonly string[], combined: Map<K, number> }> {
    const totals = new Map<string, { values: readonly string[], combined: Map<K, number> }>()
    for (const watched of this.#watched) {
      const object = watched.object.deref()
      if (object === undefined) {
        this.#watched.delete(watched)
        continue
      }
      const key = watched.values.join('\n')
      const total = totals.get(key) ?? { values: watched.values, combined: new Map<K, number>() }
      totals.set(key, total)
      for (const [name, value] of Object.entries(watched.read(object)) as [K, number | undefined][]) {
        if (value === undefined) continue
        const before = total.combined.get(name)
        total.combined.set(name, before === undefined ? value : this.#combine(before, value))
      }
    }
    return totals
  }
}
