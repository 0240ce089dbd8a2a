import type { BankSnapshot, SeriesIdentity } from '../series/snapshot.ts'
import { attributesOf } from './otlp-attributes.ts'
import type { OtlpBank, OtlpFamily } from './otlp-view.ts'

/** Derived series are the same objects each time, so that what is remembered by series holds. */
const derived = new WeakMap<SeriesIdentity, readonly SeriesIdentity[]>()

/**
 * A summary as what OpenTelemetry's SDK can carry, under the names of its Prometheus samples: a gauge of the quantiles, and
 * sums named `_sum` and `_count`. All else stays as it is.
 */
export function expandSummaries (family: OtlpFamily): OtlpFamily[] {
  if (family.kind !== 'summary') return [family]
  const { name, banks } = family
  return [
    { ...family, kind: 'gauge', banks: banks.map(toQuantiles) },
    { ...family, name: `${name}_sum`, kind: 'sum', banks: banks.map(bank => column(bank, 1)) },
    { ...family, name: `${name}_count`, unit: '', kind: 'sum', banks: banks.map(bank => column(bank, 0)) }
  ]
}

function column ({ bounds, stride, cells, series }: BankSnapshot, from: number): OtlpBank {
  const copied = new Float64Array(series.length * 2)
  series.forEach((_, row) => copied.set([cells[row * stride + from]!, cells[(row + 1) * stride - 1]!], row * 2))
  return { bounds: [], stride: 2, cells: copied, series: series.map(each => derivedOf(each, bounds)[from]!), toAttributes: undefined }
}

function toQuantiles ({ bounds, stride, cells, series }: BankSnapshot): OtlpBank {
  const copied = new Float64Array(series.length * bounds.length * 2)
  series.forEach((_, row) => bounds.forEach((_, q) => copied.set([cells[row * stride + 2 + q]!, cells[(row + 1) * stride - 1]!], (row * bounds.length + q) * 2)))
  return { bounds: [], stride: 2, cells: copied, series: series.flatMap(each => derivedOf(each, bounds).slice(2)), toAttributes: undefined }
}

/** The series of the count, of the sum, and of each quantile. */
function derivedOf (series: SeriesIdentity, quantiles: readonly number[]): readonly SeriesIdentity[] {
  const known = derived.get(series)
  if (known !== undefined) return known
  const { names, values, text } = series
  const attributes = attributesOf(series, undefined)
  const made = [
    { names, values, text, attributes },
    { names, values, text, attributes },
    ...quantiles.map(quantile => ({ names, values, text, attributes: { ...attributes, quantile: String(quantile) } }))
  ]
  derived.set(series, made)
  return made
}
