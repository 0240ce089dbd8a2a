import type { FamilySnapshot } from '../series/snapshot.ts'
import { toOpenMetricsBound, toPrometheusBound } from './bounds.ts'
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
  writer ({ name, type }, bounds, constantText) {
    if (type === 'summary') return summaryWriter(name, bounds.map(toPrometheusBound), constantText)
    return type === 'histogram' ? histogramWriter(name, bounds.map(toPrometheusBound), constantText, true) : scalarWriter(name, constantText)
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
  writer ({ name, type }, bounds, constantText) {
    if (type === 'summary') return summaryWriter(name, bounds.map(toOpenMetricsBound), constantText)
    return type === 'histogram' ? histogramWriter(name, bounds.map(toOpenMetricsBound), constantText, (bounds[0] ?? 0) >= 0) : scalarWriter(name, constantText)
  },
  end: '# EOF\n',
  hasExemplars: family => family.type === 'histogram' || openMetricsFamily(family).type === 'counter'
}

const OPENMETRICS_SUFFIX: Readonly<Record<string, string>> = { counter: '_total', info: '_info' }

function openMetricsFamily ({ name, type }: FamilySnapshot): { name: string, type: string } {
  const suffix = OPENMETRICS_SUFFIX[type]
  if (suffix === undefined) return { name, type }
  return name.endsWith(suffix) ? { name: name.slice(0, -suffix.length), type } : { name, type: 'unknown' }
}
