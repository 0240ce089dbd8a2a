import type { Attributes, OtlpIdentity } from '../series/otlp-identity.ts'
import type { SeriesIdentity } from '../series/snapshot.ts'

/** What stands for the label sets beyond a limit (OpenTelemetry metrics SDK, "Overflow attribute"). */
const OVERFLOW: Attributes = Object.freeze({ 'otel.metric.overflow': true })

/** The attributes of series, worked out once for each. */
export class AttributeCache {
  readonly #constant: Attributes
  readonly #known = new WeakMap<SeriesIdentity, Attributes>()

  constructor (constant: Attributes) {
    this.#constant = constant
  }

  of (series: SeriesIdentity, toAttributes: OtlpIdentity['toAttributes']): Attributes {
    let attributes = this.#known.get(series)
    if (attributes === undefined) this.#known.set(series, attributes = { ...this.#constant, ...attributesOf(series, toAttributes) })
    return attributes
  }
}

/** The attributes of a series without the constant ones. */
export function attributesOf (series: SeriesIdentity, toAttributes: OtlpIdentity['toAttributes']): Attributes {
  if (series.text === 'overflow="true"') return OVERFLOW
  if (series.attributes !== undefined) return series.attributes
  const { names, values } = series
  return toAttributes?.(names, values) ?? Object.fromEntries(names.map((name, i) => [name, values[i]!]))
}
