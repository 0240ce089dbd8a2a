import { labelText } from '../series/labels.ts'
import type { BankSnapshot, Exemplar, FamilySnapshot, RowExemplars, SeriesIdentity, SnapshotType } from '../series/snapshot.ts'
import type { PromMetric, PromValue } from './prom-registry.ts'

/** Labels by which prom-client tells the parts of one series apart. */
const PART_LABEL: Partial<Record<SnapshotType, string>> = { histogram: 'le', summary: 'quantile' }

/** What is remembered of a series from one reading to the next. */
interface Known {
  readonly identity: SeriesIdentity
  sinceMs: number
  /** The value or count. */
  last: number
}

/** One series while it is read. */
class Reading {
  readonly known: Known
  count = 0
  sum = 0
  readonly parts: { readonly at: number, readonly value: number, readonly exemplar: Exemplar | undefined }[] = []

  constructor (known: Known) {
    this.known = known
  }
}

/** A metric of a prom-client registry. */
export class PromFamily {
  readonly #name: string
  readonly #type: SnapshotType
  readonly #constantLabels: Readonly<Record<string, string>>
  #known = new Map<string, Known>()

  constructor (name: string, type: SnapshotType, constantLabels: Readonly<Record<string, string>>) {
    this.#name = name
    this.#type = type
    this.#constantLabels = constantLabels
  }

  /**
   * The metric as a snapshot has it. prom-client does not say since when it counts: a series that was not there at the last
   * reading, or that has gone down since, began after it.
   */
  read ({ help, values }: PromMetric, lastReadMs: number, nowMs: number): FamilySnapshot {
    const readings = new Map<string, Reading>()
    for (const value of values) this.#take(value, readings, lastReadMs)
    this.#known = new Map([...readings].map(([text, { known }]) => [text, known]))
    const isScalar = PART_LABEL[this.#type] === undefined
    const banks = new Map<string, Reading[]>()
    for (const reading of readings.values()) {
      const { known, count } = reading
      if (count < known.last) known.sinceMs = lastReadMs
      known.last = this.#type === 'gauge' ? -Infinity : count
      reading.parts.sort((a, b) => a.at - b.at)
      const shape = isScalar ? '' : reading.parts.map(({ at }) => at).join(' ')
      banks.set(shape, [...banks.get(shape) ?? [], reading])
    }
    return { name: this.#name, help, type: this.#type, unit: undefined, banks: [...banks.values()].map(rows => toBank(rows, this.#type)) }
  }

  #take ({ labels = {}, value, metricName = this.#name, exemplar }: PromValue, readings: Map<string, Reading>, lastReadMs: number): void {
    const part = PART_LABEL[this.#type]
    const names: string[] = []
    const texts: string[] = []
    for (const [name, label] of Object.entries(labels)) {
      const text = String(label ?? '')
      if (name === part) continue
      const isConstant = Object.hasOwn(this.#constantLabels, name)
      if (isConstant && this.#constantLabels[name] === text) continue
      names.push(isConstant ? `exported_${name}` : name)
      texts.push(text)
    }
    const text = labelText(names, texts)
    let reading = readings.get(text)
    if (reading === undefined) {
      const known = this.#known.get(text) ?? { identity: { names, values: texts, text }, sinceMs: lastReadMs, last: -Infinity }
      readings.set(text, reading = new Reading(known))
    }
    if (part !== undefined && part in labels) reading.parts.push({ at: toNumber(labels[part]), value, exemplar: toExemplar(exemplar) })
    else if (metricName.endsWith('_sum') && part !== undefined) reading.sum = value
    else {
      reading.count = value
      if (part === undefined) reading.parts.push({ at: 0, value, exemplar: toExemplar(exemplar) })
    }
  }
}

function toBank (readings: readonly Reading[], type: SnapshotType): BankSnapshot {
  const isHistogram = type === 'histogram'
  const isScalar = !isHistogram && type !== 'summary'
  const bounds = isScalar ? [] : readings[0]!.parts.map(({ at }) => at).filter(at => at !== Infinity)
  const stride = isScalar ? 2 : bounds.length + 3
  const cells = new Float64Array(readings.length * stride)
  const exemplars = new Map<number, RowExemplars>()
  readings.forEach(({ known, count, sum, parts }, row) => {
    const at = row * stride
    cells[at] = count
    if (!isScalar) {
      cells[at + 1] = sum
      // Buckets come cumulative.
      bounds.forEach((_, i) => { cells[at + 2 + i] = parts[i]!.value - (isHistogram && i > 0 ? parts[i - 1]!.value : 0) })
    }
    cells[at + stride - 1] = known.sinceMs
    if (parts.some(({ exemplar }) => exemplar !== undefined)) exemplars.set(row, parts.map(({ exemplar }) => exemplar && [exemplar]))
  })
  return { bounds, stride, cells, series: readings.map(({ known }) => known.identity), ...(exemplars.size > 0 && { exemplars }) }
}

function toNumber (bound: unknown): number {
  return bound === '+Inf' ? Infinity : Number(bound)
}

function toExemplar (exemplar: PromValue['exemplar']): Exemplar | undefined {
  if (exemplar == null) return undefined
  const labels = Object.fromEntries(Object.entries(exemplar.labelSet).map(([name, value]) => [name, String(value)]))
  return { value: exemplar.value, timestampMs: exemplar.timestamp * 1_000, labels }
}
