import type { FamilySnapshot } from '../series/snapshot.ts'
import { toOpenMetricsBound, toPrometheusBound } from './bounds.ts'
import { createdWriter } from './created-writer.ts'
import type { RowWriter } from './row-writer.ts'
import { histogramWriter, scalarWriter } from './row-writer.ts'
import { summaryWriter } from './summary-writer.ts'

/** What differs between the text formats. */
export interface Dialect {
  /** The metadata lines of a metric. */
  head (family: FamilySnapshot): string
  /** How series of a metric with these bounds are written. */
  writer (family: FamilySnapshot, bounds: readonly number[], constantText: string): RowWriter
  /** What follows the last metric. */
  readonly end: string
  /** Whether samples of this metric may carry exemplars. */
  hasExemplars (family: FamilySnapshot): boolean
}

/** A help text, or an escaped string of OpenMetrics. */
function escapeHelp (help: string): string {
  return help.toWellFormed().replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

/** Prometheus text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/). */
export const PROMETHEUS: Dialect = {
  head ({ name, help, type }) {
    return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type === 'info' ? 'gauge' : type}\n`
  },
  writer ({ name, type, isSemconv = false }, bounds, constantText) {
    if (type === 'summary') return summaryWriter(name, bounds.map(toPrometheusBound), constantText, isSemconv)
    if (type !== 'histogram') return scalarWriter(name, constantText)
    return histogramWriter(name, bounds.map(toPrometheusBound), constantText, isSemconv && isBelowZero(bounds) ? 'count' : 'sum and count')
  },
  end: '',
  hasExemplars: () => false
}

/**
 * OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/). A metric whose name lacks the suffix that
 * its type demands is shown as unknown rather than under another name.
 */
export const OPENMETRICS: Dialect = {
  head (family) {
    const { name, type } = openMetricsFamily(family)
    const unit = family.unit !== undefined && name.endsWith(`_${family.unit}`) ? `# UNIT ${name} ${family.unit}\n` : ''
    return `# TYPE ${name} ${type}\n${unit}# HELP ${name} ${escapeHelp(family.help).replaceAll('"', '\\"')}\n`
  },
  writer (family, bounds, constantText) {
    const writer = openMetricsWriter(family, bounds, constantText)
    const hasCreated = family.isSemconv === true && family.type !== 'gauge' && family.type !== 'info'
    return hasCreated ? createdWriter(writer, openMetricsFamily(family).name, bounds.length + (family.type === 'counter' ? 2 : 3)) : writer
  },
  end: '# EOF\n',
  hasExemplars: family => family.type === 'histogram' || openMetricsFamily(family).type === 'counter'
}

function openMetricsWriter ({ name, type, isSemconv = false }: FamilySnapshot, bounds: readonly number[], constantText: string): RowWriter {
  if (type === 'summary') return summaryWriter(name, bounds.map(toOpenMetricsBound), constantText, isSemconv)
  return type === 'histogram' ? histogramWriter(name, bounds.map(toOpenMetricsBound), constantText, isBelowZero(bounds) ? 'none' : 'sum and count') : scalarWriter(name, constantText)
}

/** Whether values may be negative, and sums fall. */
function isBelowZero (bounds: readonly number[]): boolean {
  return bounds[0] !== undefined && bounds[0] < 0
}

const OPENMETRICS_SUFFIX: Readonly<Record<string, string>> = { counter: '_total', info: '_info' }

function openMetricsFamily ({ name, type }: FamilySnapshot): { name: string, type: string } {
  const suffix = OPENMETRICS_SUFFIX[type]
  if (suffix === undefined) return { name, type }
  return name.endsWith(suffix) ? { name: name.slice(0, -suffix.length), type } : { name, type: 'unknown' }
}
