import type { FamilySnapshot, SeriesIdentity } from '../series/snapshot.ts'
import { toOpenMetricsBound, toPrometheusBound, toSampleValue } from './numbers.ts'

/** Writes one series: its label text between the constant parts of each of its lines. */
export type SeriesWriter = (series: SeriesIdentity, cells: Float64Array, at: number) => string

/** What differs between the text formats. */
export interface Dialect {
  /** The metadata lines of a metric. */
  head (family: FamilySnapshot): string
  /** How series of a metric with these bounds are written. */
  writer (family: FamilySnapshot, bounds: readonly number[], constantText: string): SeriesWriter
  /** What follows the last metric. */
  readonly end: string
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
    return type === 'histogram' ? histogramWriter(name, bounds.map(toPrometheusBound), constantText) : scalarWriter(name, constantText)
  },
  end: ''
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
    return type === 'histogram' ? histogramWriter(name, bounds.map(toOpenMetricsBound), constantText) : scalarWriter(name, constantText)
  },
  end: '# EOF\n'
}

const OPENMETRICS_SUFFIX: Readonly<Record<string, string>> = { counter: '_total', info: '_info' }

function openMetricsFamily ({ name, type }: FamilySnapshot): { name: string, type: string } {
  const suffix = OPENMETRICS_SUFFIX[type]
  if (suffix === undefined) return { name, type }
  return name.endsWith(suffix) ? { name: name.slice(0, -suffix.length), type } : { name, type: 'unknown' }
}

function joined (...labels: string[]): string {
  return labels.filter(label => label !== '').join(',')
}

function scalarWriter (name: string, constantText: string): SeriesWriter {
  const open = constantText === '' ? `${name}{` : `${name}{${constantText},`
  const bare = constantText === '' ? `${name} ` : `${name}{${constantText}} `
  return ({ text }, cells, at) => flat(text === '' ? `${bare}${toSampleValue(cells[at]!)}\n` : `${open}${text}} ${toSampleValue(cells[at]!)}\n`)
}

function histogramWriter (name: string, bounds: readonly string[], constantText: string): SeriesWriter {
  const tails = [...bounds, '+Inf'].map(bound => `le="${bound}"} `)
  return ({ text }, cells, at) => {
    const labels = joined(constantText, text)
    const bucket = labels === '' ? `${name}_bucket{` : `${name}_bucket{${labels},`
    const set = labels === '' ? ' ' : `{${labels}} `
    let lines = ''
    let cumulative = 0
    for (let i = 0; i < bounds.length; i++) {
      cumulative += cells[at + 2 + i]!
      lines += `${bucket}${tails[i]!}${cumulative}\n`
    }
    return flat(`${lines}${bucket}${tails[bounds.length]!}${cells[at]!}\n${name}_sum${set}${toSampleValue(cells[at + 1]!)}\n${name}_count${set}${cells[at]!}\n`)
  }
}

/** The same string in one piece: what is kept must not keep the pieces it was joined from. */
function flat (text: string): string {
  text.charCodeAt(0)
  return text
}
