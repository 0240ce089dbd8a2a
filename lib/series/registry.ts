import { thrown, VitalsError } from '../errors.ts'
import { Batch } from './batch.ts'
import type { SeriesLimits } from './cardinality.ts'
import { DEFAULT_LIMITS } from './cardinality.ts'
import { Counter } from './counter.ts'
import type { GivenDefinition } from './definition.ts'
import { checkDefinition, describeShape } from './definition.ts'
import type { Family, Keeper, MetricDefinition } from './family.ts'
import { withExemplarsOfCount } from './exemplars.ts'
import type { GaugeDefinition } from './gauge.ts'
import { Gauge } from './gauge.ts'
import type { HistogramDefinition } from './histogram.ts'
import { Histogram } from './histogram.ts'
import { Info } from './info.ts'
import type { MetricType } from './names.ts'
import { checkMetricName, claimedNames, conventionBreaches } from './names.ts'
import { readValue } from './read.ts'
import { IDLE_KEEPER, SelfMetrics, withoutTraces } from './self-metrics.ts'
import type { FamilySnapshot, HistogramValue, Snapshot, SnapshotSource } from './snapshot.ts'
import { toBankSnapshot } from './snapshot.ts'
import type { Traces } from './traces.ts'
import { askAgain } from './traces.ts'
import { Warnings } from './warnings.ts'

/** How a registry is set up. */
export interface RegistryOptions {
  /** @default { seriesPerMetric: 2_000, series: 10_000 } */
  readonly limits?: Partial<SeriesLimits>
  /** Labels of every series. @default {} */
  readonly constantLabels?: Readonly<Record<string, string>>
  /** `false` makes a store that takes definitions and records, and holds nothing. @default true */
  readonly recording?: boolean
  /** Where records find their trace, for exemplars. @default none are kept */
  readonly traces?: Traces
}

/** A metric under the name it is shown by; a counter may show the counts of a histogram. */
interface Entry {
  readonly type: MetricType
  readonly name: string
  readonly help: string
  readonly source: Family
}

/**
 * The store: every metric once, bounded for ever, and one read-only {@link Snapshot} for every way out. It does no
 * I/O; what it has to say goes to the listener given to {@link Registry.onWarning}.
 */
export class Registry {
  readonly constantLabels: Readonly<Record<string, string>>
  readonly limits: SeriesLimits
  /** Where records find their trace; `undefined` where no exemplars are kept. */
  readonly traces: Traces | undefined
  readonly #entries = new Map<string, Entry>()
  /** Each name that is taken, and the metric that has it. */
  readonly #owners = new Map<string, string>()
  readonly #collectors: (() => void)[] = []
  /** The functions that gauges were defined with, so that none is called twice. */
  readonly #collects = new Set<unknown>()
  readonly #sources: SnapshotSource[] = []
  readonly #hidden = new Set<Family>()
  readonly #warnings = new Warnings()
  readonly #keeper: Keeper
  /** `undefined` in a store that holds nothing. */
  readonly #self: SelfMetrics | undefined

  constructor (options: RegistryOptions = {}) {
    this.constantLabels = Object.freeze({ ...options.constantLabels })
    this.limits = Object.freeze({ ...DEFAULT_LIMITS, ...options.limits })
    this.traces = options.traces
    this.#self = options.recording === false ? undefined : new SelfMetrics(this.limits, options.traces, (key, message) => this.#warnings.once(key, message))
    this.#keeper = this.#self ?? IDLE_KEEPER
    for (const family of this.#self?.families ?? []) this.#add(family)
  }

  /** A counter; the same definition again returns the same counter. */
  counter<const L extends string = never> (definition: MetricDefinition<L>): Counter<L> {
    return this.#define('counter', definition, () => new Counter(definition, this.#keeper)) as Counter<L>
  }

  /** A gauge; the same definition again returns the same gauge, and calls its `collect` too. */
  gauge<const L extends string = never> (definition: GaugeDefinition<L>): Gauge<L> {
    const gauge = this.#define('gauge', definition, () => new Gauge(definition, this.#keeper)) as Gauge<L>
    const { collect } = definition
    if (collect !== undefined && this.#keeper.isRecording && !this.#collects.has(collect)) {
      this.#collects.add(collect)
      this.#collectors.push(() => this.#collect(gauge, collect))
    }
    return gauge
  }

  /** A histogram; the same definition again returns the same histogram. */
  histogram<const L extends string = never> (definition: HistogramDefinition<L>): Histogram<L> {
    return this.#define('histogram', definition, () => new Histogram(definition, this.#keeper)) as Histogram<L>
  }

  /** An info; the same definition again returns the same info. */
  info<const L extends string = never> (definition: MetricDefinition<L>): Info<L> {
    return this.#define('info', definition, () => new Info(definition, this.#keeper)) as Info<L>
  }

  /** Shows the counts of a histogram as a counter of its own name: the same cells, so never another number. */
  countOf (source: Histogram<string>, definition: { readonly name: string, readonly help: string }): void {
    const existing = this.#entries.get(definition.name)
    if (existing?.source === source) return
    this.#checkFree(definition.name, 'counter')
    this.#enter({ type: 'counter', name: definition.name, help: definition.help, source })
  }

  /** A histogram that is counted and limited like any other, but that the text formats do not show. */
  hiddenHistogram (definition: HistogramDefinition<string>): Histogram<string> {
    const histogram = this.histogram(definition)
    this.#hidden.add(histogram)
    return histogram
  }

  /** Notes records of `width` numbers, to make them later: see {@link Batch}. Each is made at once where exemplars are kept, or nothing is. */
  batch (width: number, record: (cells: Float64Array, at: number) => void): Batch {
    const { isRecording, unsettled } = this.#keeper
    return new Batch(width, record, isRecording && this.traces === undefined ? unsettled : undefined)
  }

  /** A metric that is limited by the store but shown by a source of its own. */
  foreign (type: 'counter' | 'gauge' | 'histogram', definition: HistogramDefinition<string>): Family {
    // It is filled when it is collected: the trace that is active then is not that of the record.
    const keeper = withoutTraces(this.#keeper)
    if (type === 'counter') return new Counter(definition, keeper)
    return type === 'gauge' ? new Gauge(definition, keeper) : new Histogram(definition, keeper)
  }

  /** Joins another source of metrics to every snapshot that is collected; returns how to part again. */
  addSource (source: SnapshotSource): () => void {
    for (const claimed of source.takenNames()) {
      const owner = this.#ownerOf(claimed)
      if (owner !== undefined) throw new VitalsError('FSV_ERR_METRIC_CONFLICT', `${source.description} cannot be joined: ${owner} takes the name ${claimed} already. Rename or leave out one of them`)
    }
    this.#sources.push(source)
    return () => { this.#sources.splice(this.#sources.indexOf(source), 1) }
  }

  /** Passes warnings, each once, to a listener; those from before it are passed at once. */
  onWarning (listener: (message: string) => void): void {
    this.#warnings.listen(listener)
  }

  /** Everything at this instant. */
  snapshot (): Snapshot {
    this.#keeper.unsettled.settle()
    if (this.traces !== undefined) {
      this.traces.look()
      askAgain()
    }
    for (const collect of this.#collectors) collect()
    this.#self?.count(this.#families())
    const copied = new Map<Family, FamilySnapshot['banks']>()
    const families: FamilySnapshot[] = []
    for (const { type, name, help, source } of this.#entries.values()) {
      let banks = copied.get(source)
      if (banks === undefined) copied.set(source, banks = source.banks.map(toBankSnapshot))
      const isOwn = name === source.name
      families.push({ type, name, help, unit: isOwn ? source.unit : undefined, banks: isOwn ? banks : banks.map(withExemplarsOfCount), otlp: isOwn ? source.otlp : false, isHidden: this.#hidden.has(source) && isOwn })
    }
    return { takenMs: Date.now(), constantLabels: this.constantLabels, families }
  }

  /** Everything at this instant, with what other sources have to show: what the ways out use. */
  async collect (): Promise<Snapshot> {
    if (this.#sources.length === 0) return this.snapshot()
    const joined = await Promise.all(this.#sources.map(source => source.collect()))
    const snapshot = this.snapshot()
    return { ...snapshot, families: [...snapshot.families, ...joined.flat().filter(family => this.#isFree(family))] }
  }

  /** The value of a series now, for tests and health checks; `undefined` where there is no such metric or series. */
  read (name: string, labels: Readonly<Record<string, unknown>> = {}): number | HistogramValue | undefined {
    this.#keeper.unsettled.settle()
    const entry = this.#entries.get(name)
    const series = entry?.source.find(labels)
    return series === undefined ? undefined : readValue(entry!.type, series)
  }

  * #families (): Generator<Family, void, void> {
    for (const { name, source } of this.#entries.values()) if (name === source.name) yield source
  }

  #define (type: MetricType, definition: GivenDefinition, create: () => Family): Family {
    const shape = checkDefinition(type, definition, this.constantLabels)
    const { name, labels = [], allowHighCardinality = false } = definition
    const entry = this.#entries.get(name)
    if (entry !== undefined) {
      const { source } = entry
      const wanted = describeShape(shape)
      const was = describeShape({ type: entry.type, labels: source.labelNames, unit: entry.type === source.type ? source.unit : undefined, bounds: source.banks[0].bounds })
      if (was === wanted && entry.type === source.type) return source
      throw new VitalsError('FSV_ERR_METRIC_CONFLICT', entry.type === source.type
        ? `Metric ${name} exists as ${was}: it cannot be defined again as ${wanted}. Use the same definition, or another name`
        : `Metric ${name} cannot be defined: it shows the count of histogram ${source.name}. Use another name`)
    }
    this.#checkFree(name, type)
    const family = create()
    for (const breach of conventionBreaches(name, type, labels, allowHighCardinality)) this.#warnings.once(breach, `Naming: ${breach}`)
    return this.#add(family)
  }

  #checkFree (name: string, type: MetricType): void {
    checkMetricName(name)
    for (const claimed of claimedNames(name, type)) {
      const owner = this.#ownerOf(claimed)
      if (owner !== undefined) throw new VitalsError('FSV_ERR_METRIC_CONFLICT', `${type} ${name} cannot be defined: ${owner} takes the name ${claimed} already. Use another name`)
    }
  }

  #ownerOf (claimed: string): string | undefined {
    const metric = this.#owners.get(claimed)
    if (metric !== undefined) return `metric ${metric}`
    return this.#sources.find(source => new Set(source.takenNames()).has(claimed))?.description
  }

  /** Whether a metric that joins may: one that came to its source later may have a name that is taken. */
  #isFree ({ name, type, scope }: FamilySnapshot): boolean {
    if (scope !== undefined) return true
    const taken = claimedNames(name, type).find(claimed => this.#owners.has(claimed))
    if (taken === undefined) return true
    this.#warnings.once(`joined ${name}`, `${type} ${name} of another registry is not shown: metric ${this.#owners.get(taken)!} takes the name ${taken} already. Rename one of them`)
    return false
  }

  #add<F extends Family> (family: F): F {
    this.#enter({ type: family.type, name: family.name, help: family.help, source: family })
    return family
  }

  #enter (entry: Entry): void {
    for (const claimed of claimedNames(entry.name, entry.type)) this.#owners.set(claimed, entry.name)
    this.#entries.set(entry.name, entry)
  }

  #collect<L extends string> (gauge: Gauge<L>, collect: (gauge: Gauge<L>) => unknown): void {
    const failed = (error: unknown): void => gauge.fault('collect', `its collect() must not throw, it threw: ${thrown(error)}`)
    try {
      const result = collect(gauge)
      if (result instanceof Promise) result.catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}
