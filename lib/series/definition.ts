import { shown, VitalsError } from '../errors.ts'
import type { MetricDefinition } from './family.ts'
import { DURATION_BUCKETS, toBounds } from './histogram.ts'
import type { MetricType } from './names.ts'
import { checkLabelNames, checkMetricName, checkUnit } from './names.ts'

/** A definition as an application gives it, before anything of it is sure. */
export type GivenDefinition = MetricDefinition & { readonly buckets?: unknown, readonly collect?: unknown }

/** What decides whether two definitions are of one metric. */
export interface Shape {
  readonly type: MetricType
  readonly labels: readonly string[]
  readonly unit: string | undefined
  readonly bounds: readonly number[]
}

/** Rejects a definition that is wrong in itself, and says what shape the metric has. */
export function checkDefinition (type: MetricType, definition: GivenDefinition, constantLabels: Readonly<Record<string, string>>): Shape {
  if (typeof definition !== 'object' || definition === null) {
    throw new VitalsError('FSV_ERR_INVALID_METRIC', `A ${type} is defined by an object { name, help, … }, got: ${shown(definition)}`)
  }
  const { name, help, unit, collect, labels = [], buckets = DURATION_BUCKETS } = definition
  checkMetricName(name)
  if (typeof help !== 'string') throw new VitalsError('FSV_ERR_INVALID_METRIC', `help of metric ${name} must be a string, got: ${shown(help)}`)
  checkLabelNames(name, type, labels)
  const constant = labels.find(label => Object.hasOwn(constantLabels, label))
  if (constant !== undefined) throw new VitalsError('FSV_ERR_METRIC_CONFLICT', `Label ${constant} of metric ${name} must have another name: a constant label has it already`)
  checkUnit(name, type, unit)
  if (collect !== undefined && typeof collect !== 'function') throw new VitalsError('FSV_ERR_INVALID_METRIC', `collect of metric ${name} must be a function, got: ${shown(collect)}`)
  return { type, labels, unit, bounds: type === 'histogram' ? toBounds(name, buckets) : [] }
}

/** A shape in words: two definitions are of one metric if theirs are the same. */
export function describeShape ({ type, labels, unit, bounds }: Shape): string {
  const labelled = labels.length === 0 ? 'no labels' : `labels ${labels.join(', ')}`
  const bucketed = type === 'histogram' ? ` and buckets ${bounds.join(' ')}` : ''
  return `${type}${unit === undefined ? '' : ` in ${unit}`} with ${labelled}${bucketed}`
}
