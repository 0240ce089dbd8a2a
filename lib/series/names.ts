import { shown, VitalsError } from '../errors.ts'

/** Metric and label name syntax of the Prometheus data model (https://prometheus.io/docs/concepts/data_model/). */
const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/

/** The kinds of metric the store keeps. */
export type MetricType = 'counter' | 'gauge' | 'histogram' | 'info'

/** Labels that the store and the exposition format write themselves. */
const RESERVED_LABELS: Readonly<Record<MetricType, readonly string[]>> = {
  counter: ['overflow'], gauge: ['overflow'], histogram: ['overflow', 'le'], info: ['overflow']
}

/** Labels that no constant label may be: those that some metric of every store writes. */
export const RESERVED_CONSTANT_LABELS: readonly string[] = Object.freeze(['overflow', 'le', 'metric', 'type'])

/** Units that are not base units, and the base unit to use (https://prometheus.io/docs/practices/naming/#base-units). */
const BASE_UNIT_OF: Readonly<Record<string, string>> = {
  ms: 'seconds',
  millis: 'seconds',
  milliseconds: 'seconds',
  microseconds: 'seconds',
  nanoseconds: 'seconds',
  minutes: 'seconds',
  hours: 'seconds',
  kb: 'bytes',
  mb: 'bytes',
  gb: 'bytes',
  kilobytes: 'bytes',
  megabytes: 'bytes',
  gigabytes: 'bytes',
  kib: 'bytes',
  mib: 'bytes',
  gib: 'bytes',
  bits: 'bytes',
  percent: 'ratio',
  percentage: 'ratio'
}

/** Label names that promise one series for each user, request or address. */
const UNBOUNDED_LABEL = /^(?:(?:user|request|session|trace|span|correlation|transaction|order|customer|account|message|device|client)_?id|id|uuid|guid|email|e_mail|username|user_name|ip|ip_address|remote_address|url|uri|path|query|timestamp|token|phone)$/i

/**
 * Every name that a metric takes for itself: those of its samples, and those that OpenMetrics gives its family, where a
 * second metric under one of them would make the text invalid.
 */
export function claimedNames (name: string, type: MetricType | 'summary'): string[] {
  const family = name.replace(type === 'counter' ? /_total$/ : type === 'info' ? /_info$/ : /$^/, '')
  switch (type) {
    case 'histogram': return [name, `${name}_bucket`, `${name}_sum`, `${name}_count`, `${name}_created`]
    case 'summary': return [name, `${name}_sum`, `${name}_count`, `${name}_created`]
    case 'counter': return family === name ? [name] : [name, family, `${family}_created`]
    default: return family === name ? [name] : [name, family]
  }
}

/** Rejects a unit that is not the end of its metric's name, which OpenMetrics demands. */
export function checkUnit (name: string, type: MetricType, unit: unknown): void {
  if (unit === undefined) return
  const base = type === 'counter' ? name.replace(/_total$/, '') : name
  if (typeof unit !== 'string' || unit === '' || !base.endsWith(`_${unit}`)) {
    throw new VitalsError('FSV_ERR_INVALID_METRIC', `unit of metric ${name} must be the unit that its name ends in${type === 'counter' ? ' before _total' : ''}, got: ${shown(unit)}`)
  }
}

/** Rejects a name that breaks the syntax of the exposition format. */
export function checkMetricName (name: unknown): asserts name is string {
  if (typeof name !== 'string' || !METRIC_NAME.test(name)) {
    throw new VitalsError('FSV_ERR_INVALID_METRIC', `A metric's name must match ${METRIC_NAME.source}, got: ${shown(name)}`)
  }
}

/** Rejects label names that break the syntax, repeat, or belong to the exposition format. */
export function checkLabelNames (metric: string, type: MetricType, labels: unknown): asserts labels is readonly string[] {
  if (!Array.isArray(labels)) {
    throw new VitalsError('FSV_ERR_INVALID_METRIC', `labels of metric ${metric} must be an array of label names, got: ${shown(labels)}`)
  }
  const seen = new Set<unknown>()
  for (const label of labels) {
    if (typeof label !== 'string' || !LABEL_NAME.test(label) || label.startsWith('__')) {
      throw new VitalsError('FSV_ERR_INVALID_METRIC',
        `A label name of metric ${metric} must match ${LABEL_NAME.source} and not begin with __, got: ${shown(label)}`)
    }
    if (RESERVED_LABELS[type].includes(label)) {
      throw new VitalsError('FSV_ERR_INVALID_METRIC', `Label ${label} of metric ${metric} must have another name: the store writes that label itself`)
    }
    if (seen.has(label)) throw new VitalsError('FSV_ERR_INVALID_METRIC', `Label names of metric ${metric} must differ, got ${label} twice`)
    seen.add(label)
  }
}

/** The breaches of naming convention in a definition, each as a sentence. */
export function conventionBreaches (name: string, type: MetricType, labels: readonly string[], allowHighCardinality: boolean): string[] {
  const breaches: string[] = []
  if (type === 'counter' && !name.endsWith('_total')) breaches.push(`counter ${name} should end in _total`)
  if (type !== 'counter' && name.endsWith('_total')) breaches.push(`${type} ${name} should not end in _total: only counters do`)
  if (type === 'info' && !name.endsWith('_info')) breaches.push(`info ${name} should end in _info`)
  const unit = name.replace(/_total$/, '').split('_').at(-1)!
  const base = BASE_UNIT_OF[unit]
  if (base !== undefined) breaches.push(`${type} ${name} should use the base unit ${base} instead of ${unit}`)
  for (const label of labels) {
    if (label.startsWith('_')) breaches.push(`label ${label} of ${type} ${name} should not begin with an underscore: OpenMetrics reserves such names`)
  }
  if (!allowHighCardinality) {
    for (const label of labels) {
      if (UNBOUNDED_LABEL.test(label)) {
        breaches.push(`label ${label} of ${type} ${name} promises a series for each value: leave it out, or set allowHighCardinality: true`)
      }
    }
  }
  return breaches
}
