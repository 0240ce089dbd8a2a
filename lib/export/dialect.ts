import type { FamilySnapshot } from '../series/snapshot.ts'
import { toOpenMetricsBound, toPrometheusBound } from './bounds.ts'
import { createdWriter } from './created-writer.ts'
import type { RowWriter } from './row-writer.ts'
import { histogramWriter, scalarWriter } from './row-writer.ts'
import { hasHistogramSum, isBelowZero } from './sums.ts'
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
  writer (family, bounds, constantText) {
    const { name, type, isSemconv = false } = family
    if (type === 'summary') return summaryWriter(name, bounds.map(toPrometheusBound), constantText, isSemconv)
    if (type !== 'histogram') return scalarWriter(name, constantText)
    return histogramWriter(name, bounds.map(toPrometheusBound), constantText, hasHistogramSum(family, bounds) ? 'sum and count' : 'count')
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
    const unit = shownUnit(family)
    return `# TYPE ${name} ${type}\n${unit === undefined ? '' : `# UNIT ${name} ${unit}\n`}# HELP ${name} ${escapeHelp(family.help).replaceAll('"', '\\"')}\n`
  },
  writer (family, bounds, constantText) {
    const writer = openMetricsWriter(family, bounds, constantText)
    const { name, type } = openMetricsFamily(family)
    const hasCreated = family.isSemconv === true && WITH_CREATED.has(type)
    return hasCreated ? createdWriter(writer, name, bounds.length + (type === 'counter' ? 2 : 3)) : writer
  },
  end: '# EOF\n',
  hasExemplars: family => family.type === 'histogram' || openMetricsFamily(family).type === 'counter'
}

function openMetricsWriter ({ name, type, isSemconv = false }: FamilySnapshot, bounds: readonly number[], constantText: string): RowWriter {
  if (type === 'summary') return summaryWriter(name, bounds.map(toOpenMetricsBound), constantText, isSemconv)
  return type === 'histogram' ? histogramWriter(name, bounds.map(toOpenMetricsBound), constantText, isBelowZero(bounds) ? 'none' : 'sum and count') : scalarWriter(name, constantText)
}

/** The unit that may stand beside a metric: one that its name ends in. */
export function shownUnit (family: FamilySnapshot): string | undefined {
  return family.unit !== undefined && openMetricsFamily(family).name.endsWith(`_${family.unit}`) ? family.unit : undefined
}

/** Types that say since when they count. */
const WITH_CREATED: ReadonlySet<string> = new Set(['counter', 'histogram', 'summary'])

const OPENMETRICS_SUFFIX: Readonly<Record<string, string>> = { counter: '_total', info: '_info' }

function openMetricsFamily ({ name, type }: FamilySnapshot): { name: string, type: string } {
  const suffix = OPENMETRICS_SUFFIX[type]
  if (suffix === undefined) return { name, type }
  return name.endsWith(suffix) ? { name: name.slice(0, -suffix.length), type } : { name, type: 'unknown' }
}
