import type { CollectionResult, MetricData, MetricReader, ScopeMetrics } from '@opentelemetry/sdk-metrics'
import type { Registry } from '../series/registry.ts'
import type { FamilySnapshot, SnapshotSource } from '../series/snapshot.ts'
import { MeterFamily } from './meter-family.ts'
import { releasingTimers } from './releasing-timers.ts'

/**
 * How long callbacks of observable instruments may take, in ms: a scrape does not wait longer for them. The SDK's timers for it are told
 * from all others by the fraction.
 */
const CALLBACK_TIMEOUT_MS = 1_000.5

/**
 * What is recorded through OpenTelemetry meters. Each collection takes what came since the last one and adds it to series of
 * our own, so that any number of scrapes and pushes see the same totals, and the store's limits hold for ever.
 */
export class MeterSource implements SnapshotSource {
  readonly description = 'the OpenTelemetry meters'
  readonly #reader: MetricReader
  readonly #registry: Registry
  readonly #families = new Map<string, MeterFamily>()
  readonly #warn: (message: string) => void
  #warned = false
  #collecting: Promise<void> | undefined

  constructor (reader: MetricReader, registry: Registry, warn: (message: string) => void) {
    this.#reader = reader
    this.#registry = registry
    this.#warn = warn
  }

  /** Instruments come when they are first used: a name taken by then is reported when it is shown. */
  takenNames (): readonly string[] {
    return []
  }

  async collect (): Promise<readonly FamilySnapshot[]> {
    await (this.#collecting ??= this.#read())
    return [...this.#families.values()].map(family => family.snapshot())
  }

  async #read (): Promise<void> {
    try {
      const { resourceMetrics, errors } = await releasingTimers(CALLBACK_TIMEOUT_MS, () => this.#reader.collect({ timeoutMillis: CALLBACK_TIMEOUT_MS }))
      this.#report(errors)
      for (const metrics of resourceMetrics.scopeMetrics) this.#absorb(metrics)
    } catch (error) {
      this.#report([error])
    } finally {
      this.#collecting = undefined
    }
  }

  #absorb ({ scope, metrics }: ScopeMetrics): void {
    for (const data of metrics) this.#familyOf(scope, data).absorb(data)
  }

  #familyOf (scope: ScopeMetrics['scope'], data: MetricData): MeterFamily {
    const key = JSON.stringify([scope.name, scope.version, scope.schemaUrl, data.descriptor.name, data.descriptor.unit, data.dataPointType])
    let family = this.#families.get(key)
    if (family === undefined) this.#families.set(key, family = new MeterFamily(this.#registry, scope, data))
    return family
  }

  #report (errors: CollectionResult['errors']): void {
    if (errors.length === 0 || this.#warned) return
    this.#warned = true
    const [error] = errors
    this.#warn(`OpenTelemetry meters could not be read in full: ${String(error)}. What else they hold is shown; this is said once`)
  }
}
