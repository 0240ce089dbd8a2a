import { claimedNames } from '../series/names.ts'
import type { FamilySnapshot, SnapshotSource, SnapshotType } from '../series/snapshot.ts'
import { PromFamily } from './prom-family.ts'
import type { PromMetric, PromRegistry } from './prom-registry.ts'

/** How long a registry's own collectors may take, in ms: a scrape does not wait longer, and shows what was read last. */
const COLLECT_TIMEOUT_MS = 1_000

const TYPES: readonly SnapshotType[] = ['counter', 'gauge', 'histogram', 'summary']

/** A prom-client registry whose metrics are shown beside the store's. */
export class PromSource implements SnapshotSource {
  readonly description: string
  readonly #registry: PromRegistry
  readonly #constantLabels: Readonly<Record<string, string>>
  readonly #warn: (message: string) => void
  readonly #families = new Map<string, PromFamily>()
  #shown: readonly FamilySnapshot[] = []
  #readMs = performance.timeOrigin
  #reading: Promise<void> | undefined
  #isFailing = false

  constructor (registry: PromRegistry, position: number, constantLabels: Readonly<Record<string, string>>, warn: (message: string) => void) {
    this.#registry = registry
    this.description = `prom-client registry ${position} of option registries`
    this.#constantLabels = constantLabels
    this.#warn = warn
  }

  takenNames (): string[] {
    return this.#registry.getMetricsAsArray().flatMap(metric => {
      const type = toType(metric.type ?? metric.constructor.name.toLowerCase())
      return type === undefined ? [] : claimedNames(this.#nameOf(metric.name, type), type)
    })
  }

  async collect (): Promise<readonly FamilySnapshot[]> {
    this.#reading ??= this.#read().finally(() => { this.#reading = undefined })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>(resolve => {
      timer = setTimeout(() => {
        this.#fail(`its collectors took longer than ${COLLECT_TIMEOUT_MS} ms`)
        resolve()
      }, COLLECT_TIMEOUT_MS).unref()
    })
    await Promise.race([this.#reading, late])
    clearTimeout(timer)
    return this.#shown
  }

  async #read (): Promise<void> {
    try {
      const metrics = await this.#registry.getMetricsAsJSON() as readonly PromMetric[]
      const nowMs = Date.now()
      this.#shown = metrics.flatMap(metric => this.#toSnapshot(metric, nowMs))
      this.#readMs = nowMs
      this.#isFailing = false
    } catch (error) {
      this.#fail(String(error))
    }
  }

  #toSnapshot (metric: PromMetric, nowMs: number): FamilySnapshot[] {
    const type = toType(metric.type)
    if (type === undefined) return []
    const name = this.#nameOf(metric.name, type)
    const key = `${type} ${name}`
    let family = this.#families.get(key)
    if (family === undefined) this.#families.set(key, family = new PromFamily(name, type, this.#constantLabels))
    return [family.read(metric, this.#readMs, nowMs)]
  }

  /** In its OpenMetrics mode, prom-client takes the suffix of counters off their names. */
  #nameOf (name: string, type: SnapshotType): string {
    const isStripped = type === 'counter' && this.#registry.contentType.includes('openmetrics') && !name.endsWith('_total')
    return isStripped ? `${name}_total` : name
  }

  #fail (problem: string): void {
    if (!this.#isFailing) this.#warn(`${this.description} could not be read: ${problem}. What was read last is shown`)
    this.#isFailing = true
  }
}

/** prom-client once numbered its types. */
function toType (type: unknown): SnapshotType | undefined {
  return typeof type === 'number' ? TYPES[type] : TYPES.find(known => known === type)
}
