import { ValueType } from '@opentelemetry/api'
import type { DataPoint, ExponentialHistogram, Histogram, MetricData, ScopeMetrics } from '@opentelemetry/sdk-metrics'
import type { CounterSeries } from '../series/counter.ts'
import type { ExponentialBuckets } from '../series/exponential.ts'
import { mergeExponential, toFixedBuckets } from '../series/exponential.ts'
import type { Family } from '../series/family.ts'
import type { GaugeSeries } from '../series/gauge.ts'
import { labelText } from '../series/labels.ts'
import type { NamedKind } from '../series/otel-names.ts'
import { toPrometheusLabels, toPrometheusName, toPrometheusUnit, toScopeLabels } from '../series/otel-names.ts'
import type { Attributes, Scope } from '../series/otlp-identity.ts'
import type { Registry } from '../series/registry.ts'
import type { Series } from '../series/series.ts'
import type { BankSnapshot, FamilySnapshot, SeriesIdentity } from '../series/snapshot.ts'
import { toBankSnapshot } from '../series/snapshot.ts'
import { GAUGE, HISTOGRAM, SUM } from './data-point-type.ts'

const OVERFLOW_KEY = 'otel.metric.overflow'
const SCOPE_NAME = 'otel_scope_name'
const STORE_TYPE = { sum: 'counter', updown: 'gauge', gauge: 'gauge', histogram: 'histogram', exponential: 'histogram', summary: 'histogram' } as const

/** An instrument of an OpenTelemetry meter: a family of the store, filled at each collection. */
export class MeterFamily {
  readonly #family: Family
  readonly #kind: NamedKind
  readonly #scope: Scope
  /** Without the name, which is a label of the family. */
  readonly #scopeLabels: Readonly<Record<string, string>>
  readonly #shape: Pick<FamilySnapshot, 'name' | 'help' | 'type' | 'unit' | 'otlp' | 'scope' | 'isSumless'>
  readonly #constant: Readonly<Record<string, string>>
  readonly #identities = new Map<Series, SeriesIdentity>()
  readonly #exponentials = new Map<Series, ExponentialBuckets>()

  constructor (registry: Registry, scope: ScopeMetrics['scope'], data: MetricData) {
    const { name, description, unit, valueType } = data.descriptor
    const kind = kindOf(data)
    const type = STORE_TYPE[kind]
    // As Prometheus itself names what it is pushed: only of a gauge is `1` a ratio.
    const isRatio = kind === 'gauge'
    const prometheusName = toPrometheusName(name, unit, kind, { isRatio })
    this.#kind = kind
    // The SDK has an empty text for no version.
    this.#scope = { name: scope.name, version: scope.version === '' ? undefined : scope.version, schemaUrl: scope.schemaUrl }
    const { otel_scope_name: _name, ...scopeLabels } = toScopeLabels(this.#scope)
    this.#scopeLabels = scopeLabels
    this.#constant = registry.constantLabels
    this.#family = registry.foreign(type, { name: prometheusName, help: description, labels: [SCOPE_NAME], ...boundsOf(data) })
    this.#shape = {
      name: prometheusName,
      help: description,
      type,
      unit: toPrometheusUnit(unit, isRatio),
      scope: this.#scope,
      isSumless: kind === 'exponential' && (data.dataPoints[0]!.value as ExponentialHistogram).sum === undefined,
      otlp: { name, unit, isUpDown: kind === 'updown', isInteger: valueType === ValueType.INT }
    }
  }

  /** Adds what came since the last collection. */
  absorb (data: MetricData): void {
    const seen = new Set<Series>()
    for (const point of data.dataPoints) {
      const series = this.#seriesOf(point.attributes as Attributes, data.dataPointType === HISTOGRAM ? (point.value as Histogram).buckets.boundaries : [])
      seen.add(series)
      this.#add(series, point as DataPoint<never>)
    }
    // What an observable gauge did not observe is not there any more.
    if ((data.descriptor as { type?: string }).type === 'OBSERVABLE_GAUGE') this.#keepOnly(seen)
  }

  snapshot (): FamilySnapshot {
    const banks = this.#family.banks.map(bank => {
      const snapshot = toBankSnapshot(bank)
      return { ...snapshot, series: bank.series.map(series => this.#identityOf(series)) }
    })
    return { ...this.#shape, banks: this.#kind === 'exponential' ? banks.flatMap((bank, b) => this.#toExponentialBanks(bank, this.#family.banks[b]!.series)) : banks }
  }

  #seriesOf (attributes: Attributes, bounds: readonly number[]): Series {
    if (attributes[OVERFLOW_KEY] === true) return this.#family.overflow()
    const labels = { ...this.#scopeLabels, ...this.#labelsOf(attributes) }
    const series = this.#family.bind([this.#scope.name], labels, this.#shape.type === 'histogram' ? bounds : undefined)
    if (!this.#identities.has(series) && series !== this.#family.overflow(false)) this.#identities.set(series, { names: series.names, values: series.values, text: series.text, attributes })
    return series
  }

  /** Names that the exposition or the store writes itself get the prefix that Prometheus gives such labels. */
  #labelsOf (attributes: Attributes): Record<string, string> {
    const labels: Record<string, string> = {}
    for (const [name, value] of Object.entries(toPrometheusLabels(attributes))) {
      const isTaken = name === SCOPE_NAME || Object.hasOwn(this.#scopeLabels, name) || (name === 'le' && this.#shape.type === 'histogram') || Object.hasOwn(this.#constant, name)
      labels[isTaken ? `exported_${name}` : name] = value
    }
    return labels
  }

  #add (series: Series, { value }: DataPoint<number> | DataPoint<Histogram> | DataPoint<ExponentialHistogram>): void {
    if (typeof value === 'number') {
      if (this.#kind === 'sum') (series as CounterSeries).inc(value)
      else if (this.#kind === 'updown') (series as GaugeSeries).inc(value)
      else (series as GaugeSeries).set(value)
      return
    }
    const { at, bank: { cells } } = series
    cells[at]! += value.count
    cells[at + 1]! += value.sum ?? 0
    if ('buckets' in value) {
      // An overflow series has the bounds that its instrument had first.
      const { bounds } = series.bank
      if (bounds.length === value.buckets.boundaries.length) for (let i = 0; i < bounds.length; i++) cells[at + 2 + i]! += value.buckets.counts[i]!
    } else {
      const came = { scale: value.scale, zeroCount: value.zeroCount, positive: toRange(value.positive), negative: toRange(value.negative) }
      const before = this.#exponentials.get(series)
      this.#exponentials.set(series, before === undefined ? came : mergeExponential(before, came))
    }
    if (series === this.#family.overflow(false)) this.#family.overflowed()
  }

  #keepOnly (seen: ReadonlySet<Series>): void {
    for (const series of this.#identities.keys()) {
      if (seen.has(series)) continue
      this.#family.drop(series)
      this.#identities.delete(series)
    }
  }

  #identityOf (series: Series): SeriesIdentity {
    let identity = this.#identities.get(series)
    if (identity === undefined) {
      const labels = { overflow: 'true', [SCOPE_NAME]: this.#scope.name, ...this.#scopeLabels }
      const [names, values] = [Object.keys(labels), Object.values(labels)]
      this.#identities.set(series, identity = { names, values, text: labelText(names, values), attributes: { [OVERFLOW_KEY]: true } })
    }
    return identity
  }

  /** A bank for each series: the bounds of exponential buckets are each series' own. */
  #toExponentialBanks ({ cells, stride, series }: BankSnapshot, owners: readonly Series[]): BankSnapshot[] {
    return series.map((identity, row) => {
      const exponential = this.#exponentials.get(owners[row]!)!
      const { bounds, counts } = toFixedBuckets(exponential)
      const at = row * stride
      return { bounds, stride: bounds.length + 3, cells: Float64Array.of(cells[at]!, cells[at + 1]!, ...counts, cells[at + stride - 1]!), series: [identity], exponential }
    })
  }
}

function kindOf (data: MetricData): NamedKind {
  switch (data.dataPointType) {
    case SUM: return data.isMonotonic ? 'sum' : 'updown'
    case GAUGE: return 'gauge'
    case HISTOGRAM: return 'histogram'
    default: return 'exponential'
  }
}

function boundsOf (data: MetricData): { buckets?: readonly number[] } {
  const boundaries = data.dataPointType === HISTOGRAM ? data.dataPoints[0]!.value.buckets.boundaries : []
  return boundaries.length > 0 ? { buckets: boundaries } : {}
}

function toRange ({ offset, bucketCounts }: ExponentialHistogram['positive']): { offset: number, counts: number[] } {
  return { offset, counts: [...bucketCounts] }
}
