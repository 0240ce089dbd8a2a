import { VitalsError } from '../errors.ts'
import { holding } from '../holding.ts'
import type { Registry } from '../series/registry.ts'
import type { BankSnapshot, FamilySnapshot } from '../series/snapshot.ts'
import type { PromMetric, PromRegistry, PromValue } from './prom-registry.ts'

type Render = (format: 'prometheus' | 'openmetrics') => Promise<string>

const CONTENT_TYPES = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8'
} as const

/** Everything that `/v1/metrics` shows, in the shape of a prom-client registry: for its Pushgateway and for code that asks for a `Registry`. */
export class PromView implements PromRegistry {
  readonly #registry: Registry
  readonly #render: Render
  #format: keyof typeof CONTENT_TYPES = 'prometheus'

  constructor (registry: Registry, render: Render) {
    this.#registry = registry
    this.#render = render
  }

  get contentType (): string {
    return CONTENT_TYPES[this.#format]
  }

  /** Chooses the text format by its media type. */
  setContentType (contentType: string): void {
    const format = (['prometheus', 'openmetrics'] as const).find(known => CONTENT_TYPES[known] === contentType)
    if (format === undefined) throw new VitalsError('FSV_ERR_INVALID_OPTION', `The content type must be ${Object.values(CONTENT_TYPES).join(' or ')}, got: ${contentType}`)
    this.#format = format
  }

  /** All metrics as text. */
  async metrics (): Promise<string> {
    return await this.#render(this.#format)
  }

  /** All metrics with their values, as prom-client lists them. */
  async getMetricsAsJSON (): Promise<PromMetric[]> {
    const { families, constantLabels } = await holding(this.#registry.collect())
    return families.filter(({ isHidden }) => isHidden !== true).map(family => toPromMetric(family, constantLabels))
  }

  /** The store's own metrics as objects that can be read with `get()`: what `Registry.merge()` and cluster code ask for. */
  getMetricsAsArray (): { readonly name: string, readonly type: string, readonly help: string, readonly aggregator: string, get (): Promise<PromMetric> }[] {
    const { families, constantLabels } = this.#registry.snapshot()
    return families.filter(({ isHidden }) => isHidden !== true).map(({ name, type, help }) => ({
      name,
      type: toPromType(type),
      help,
      aggregator: 'sum',
      get: async () => toPromMetric(this.#registry.snapshot().families.find(family => family.name === name)!, constantLabels)
    }))
  }

  /** One of the store's own metrics. */
  getSingleMetric (name: string): ReturnType<PromView['getMetricsAsArray']>[number] | undefined {
    return this.getMetricsAsArray().find(metric => metric.name === name)
  }

  /** Refused, as nothing may be added to the view: give prom-client registries as option `registries`. */
  registerMetric (): never {
    throw new VitalsError('FSV_ERR_INVALID_METRIC', 'A metric cannot be registered in a view: define it with app.vitals, or give its registry as option registries')
  }
}

function toPromType (type: string): string {
  return type === 'info' ? 'gauge' : type
}

function toPromMetric ({ name, help, type, banks }: FamilySnapshot, constantLabels: Readonly<Record<string, string>>): PromMetric {
  return { name, help, type: toPromType(type), aggregator: 'sum', values: banks.flatMap(bank => bank.series.flatMap((_, row) => toValues(name, type, bank, row, constantLabels))) }
}

function toValues (name: string, type: string, { bounds, stride, cells, series }: BankSnapshot, row: number, constantLabels: Readonly<Record<string, string>>): PromValue[] {
  const { names, values } = series[row]!
  const labels = { ...constantLabels, ...Object.fromEntries(names.map((label, i) => [label, values[i]!])) }
  const at = row * stride
  const count = cells[at]!
  if (type !== 'histogram' && type !== 'summary') return [{ value: count, labels }]
  let total = 0
  const isHistogram = type === 'histogram'
  const parts: PromValue[] = bounds.map((bound, i) => {
    total += cells[at + 2 + i]!
    return isHistogram
      ? { metricName: `${name}_bucket`, labels: { ...labels, le: bound }, value: total }
      : { metricName: name, labels: { ...labels, quantile: bound }, value: cells[at + 2 + i]! }
  })
  if (isHistogram) parts.push({ metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count })
  return [...parts, { metricName: `${name}_sum`, labels, value: cells[at + 1]! }, { metricName: `${name}_count`, labels, value: count }]
}
