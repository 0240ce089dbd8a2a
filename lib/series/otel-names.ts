import type { Attributes, AttributeValue, Scope } from './otlp-identity.ts'

/** What decides the suffix of a name. */
export type NamedKind = 'sum' | 'updown' | 'gauge' | 'histogram' | 'exponential' | 'summary'

/** UCUM's abbreviations and the words that Prometheus uses (compatibility specification, "Metric Metadata"). */
const WORD_OF: Readonly<Record<string, string>> = {
  d: 'days',
  h: 'hours',
  min: 'minutes',
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
  By: 'bytes',
  KiBy: 'kibibytes',
  MiBy: 'mebibytes',
  GiBy: 'gibibytes',
  TiBy: 'tebibytes',
  kBy: 'kilobytes',
  KBy: 'kilobytes',
  MBy: 'megabytes',
  GBy: 'gigabytes',
  TBy: 'terabytes',
  m: 'meters',
  V: 'volts',
  A: 'amperes',
  J: 'joules',
  W: 'watts',
  g: 'grams',
  Cel: 'celsius',
  Hz: 'hertz',
  '%': 'percent'
}

/** The same below a slash. */
const PER_WORD_OF: Readonly<Record<string, string>> = { s: 'second', m: 'minute', min: 'minute', h: 'hour', d: 'day', w: 'week', mo: 'month', y: 'year' }

/** What is not allowed in a name becomes an underscore, several in a row one. */
function sanitize (name: string, allowed: RegExp): string {
  const clean = name.replace(allowed, '_').replace(/_{2,}/g, '_')
  return /^\d/.test(clean) ? `_${clean}` : clean
}

/** Prometheus' word for a unit of OpenTelemetry; `undefined` where it has none. The unit `1` is a ratio unless told otherwise. */
export function toPrometheusUnit (unit: string, isRatio: boolean = true): string | undefined {
  const plain = unit.replace(/\{[^}]*\}/g, '')
  if (plain === '1') return isRatio ? 'ratio' : undefined
  const slash = plain.includes('/') ? plain.indexOf('/') : plain.length
  const [what, per] = [plain.slice(0, slash), plain.slice(slash + 1)]
  const words = [what === '1' ? '' : WORD_OF[what] ?? what, per === '' ? '' : `per_${PER_WORD_OF[per] ?? per}`].filter(word => word !== '').join('_')
  return sanitize(words, /[^a-zA-Z0-9]/g).replace(/^_|_$/g, '') || undefined
}

/** What is left to choose of a name. */
interface Naming {
  /** Whether counters get `_total`; a name that has it keeps it. @default true */
  readonly addsTotal?: boolean
  /** Whether the unit `1` is a ratio. @default true */
  readonly isRatio?: boolean
}

/** A name of OpenTelemetry as Prometheus shows it (compatibility specification, "OTLP Metric points to Prometheus"). */
export function toPrometheusName (name: string, unit: string, kind: NamedKind, { addsTotal = true, isRatio }: Naming = {}): string {
  const clean = sanitize(name, /[^a-zA-Z0-9_:]/g)
  const word = toPrometheusUnit(unit, isRatio)
  const base = kind === 'sum' ? clean.replace(/_total$/, '') : clean
  const withUnit = word === undefined || `_${base}_`.includes(`_${word}_`) ? base : `${base}_${word}`
  const hasTotal = kind === 'sum' && (addsTotal || base !== clean)
  return (hasTotal ? `${withUnit}_total` : withUnit).replace(/_{2,}/g, '_')
}

/** Attributes as labels, beside others: keys that become one name share it, their values joined by `;` in the order of the keys. */
export function toPrometheusLabels (attributes: Attributes, others: Readonly<Record<string, string>> = {}): Record<string, string> {
  const labels: Record<string, string> = {}
  const pairs = [...Object.entries(attributes), ...Object.entries(others)].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0)
  for (const [key, value] of pairs) {
    const name = sanitize(key, /[^a-zA-Z0-9_]/g)
    const text = toText(value)
    labels[name] = Object.hasOwn(labels, name) ? `${labels[name]};${text}` : text
  }
  return labels
}

/** Texts as they are, all else as JSON (specification, "AnyValue representation for non-OTLP protocols"). */
function toText (value: AttributeValue | undefined | null): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'object' ? JSON.stringify(value, (_, each: unknown) => typeof each === 'number' && !Number.isFinite(each) ? String(each) : each) : String(value)
}

/** The labels that tell on every series who recorded it (compatibility specification, "Instrumentation Scope"). */
export function toScopeLabels ({ name, version, schemaUrl }: Scope): Record<string, string> {
  return {
    otel_scope_name: name,
    ...(version !== undefined && { otel_scope_version: version }),
    ...(schemaUrl !== undefined && { otel_scope_schema_url: schemaUrl })
  }
}
