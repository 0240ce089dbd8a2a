import type { FamilySnapshot, SeriesIdentity } from '../series/snapshot.ts'
import { NUMBER_BYTES, toBinary } from './byte-writer.ts'
import type { ByteWriter } from './byte-writer.ts'
import { toOpenMetricsBound, toPrometheusBound } from './bounds.ts'

/** Writes the lines of series of one shape. */
export interface SeriesWriter {
  /** Bytes that a series can take at the most. */
  room (series: SeriesIdentity): number
  write (series: SeriesIdentity, cells: Float64Array, at: number, out: ByteWriter): void
}

/** Bytes of UTF-8 for one UTF-16 unit. */
const MOST_BYTES = 3

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
    return type === 'histogram' ? new HistogramWriter(name, bounds.map(toPrometheusBound), constantText, true) : new ScalarWriter(name, constantText)
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
    return type === 'histogram' ? new HistogramWriter(name, bounds.map(toOpenMetricsBound), constantText, bounds[0]! >= 0) : new ScalarWriter(name, constantText)
  },
  end: '# EOF\n'
}

const OPENMETRICS_SUFFIX: Readonly<Record<string, string>> = { counter: '_total', info: '_info' }

function openMetricsFamily ({ name, type }: FamilySnapshot): { name: string, type: string } {
  const suffix = OPENMETRICS_SUFFIX[type]
  if (suffix === undefined) return { name, type }
  return name.endsWith(suffix) ? { name: name.slice(0, -suffix.length), type } : { name, type: 'unknown' }
}

/** Writes series of one value. */
class ScalarWriter implements SeriesWriter {
  readonly #open: string
  readonly #bare: string

  constructor (name: string, constantText: string) {
    this.#open = toBinary(constantText === '' ? `${name}{` : `${name}{${constantText},`)
    this.#bare = toBinary(constantText === '' ? `${name} ` : `${name}{${constantText}} `)
  }

  room ({ text }: SeriesIdentity): number {
    return this.#bare.length + text.length * MOST_BYTES + NUMBER_BYTES + 3
  }

  write ({ text }: SeriesIdentity, cells: Float64Array, at: number, out: ByteWriter): void {
    if (text === '') {
      out.text(this.#bare)
    } else {
      out.text(this.#open)
      out.text(toBinary(text))
      out.text('} ')
    }
    out.number(cells[at]!)
    out.text('\n')
  }
}

/** Writes histograms: the label text once, then again by copy. */
class HistogramWriter implements SeriesWriter {
  readonly #bounds: number
  readonly #bucket: string
  readonly #sum: string
  readonly #count: string
  readonly #constant: string
  /** `le="0.1"} ` for each bound and +Inf. */
  readonly #tails: readonly string[]
  readonly #roomBesideText: number
  readonly #hasSum: boolean

  /** OpenMetrics has no sum, and so no count, where values may be negative. */
  constructor (name: string, bounds: readonly string[], constantText: string, hasSum: boolean) {
    this.#hasSum = hasSum
    this.#bounds = bounds.length
    this.#constant = toBinary(constantText)
    this.#bucket = `${name}_bucket{`
    this.#sum = `${name}_sum`
    this.#count = `${name}_count`
    this.#tails = [...bounds, '+Inf'].map(bound => `le="${bound}"} `)
    this.#roomBesideText = (bounds.length + 3) * (name.length + this.#constant.length + NUMBER_BYTES + 45)
  }

  room ({ text }: SeriesIdentity): number {
    return this.#roomBesideText + (this.#bounds + 3) * text.length * MOST_BYTES
  }

  write ({ text }: SeriesIdentity, cells: Float64Array, at: number, out: ByteWriter): void {
    const start = out.at
    out.text(this.#bucket)
    const labels = out.at
    out.text(this.#constant)
    if (text !== '') {
      if (out.at > labels) out.text(',')
      out.text(toBinary(text))
    }
    const labelsEnd = out.at
    if (labelsEnd > labels) out.text(',')
    const end = out.at
    let cumulative = 0
    for (let i = 0; i < this.#bounds; i++) {
      if (i > 0) out.repeat(start, end)
      cumulative += cells[at + 2 + i]!
      out.text(this.#tails[i]!)
      out.number(cumulative)
      out.text('\n')
    }
    out.repeat(start, end)
    out.text(this.#tails[this.#bounds]!)
    out.number(cells[at]!)
    out.text('\n')
    if (!this.#hasSum) return
    this.#line(this.#sum, labels, labelsEnd, cells[at + 1]!, out)
    this.#line(this.#count, labels, labelsEnd, cells[at]!, out)
  }

  #line (name: string, labels: number, labelsEnd: number, value: number, out: ByteWriter): void {
    out.text(name)
    if (labelsEnd > labels) {
      out.text('{')
      out.repeat(labels, labelsEnd)
      out.text('}')
    }
    out.text(' ')
    out.number(value)
    out.text('\n')
  }
}
