/**
 * A strict reader of the two text formats a scrape can answer with, written from the specifications and sharing nothing with `lib`:
 * the Prometheus text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/) and OpenMetrics 1.0
 * (https://prometheus.io/docs/specs/om/open_metrics_spec/).
 *
 * It judges writers, so it refuses what the specifications only advise against or let a lenient reader skip: blank lines, comments, runs of blanks,
 * undefined escapes, several points of one series, OpenMetrics metadata in another order than TYPE, UNIT, HELP.
 */
export type ExpositionFormat = 'prometheus' | 'openmetrics'

export type Labels = Record<string, string>

export interface ParsedExemplar { labels: Labels, value: number, timestamp: number | undefined }

export interface ParsedSample {
  name: string
  labels: Labels
  value: number
  /** In milliseconds in the text format, in seconds in OpenMetrics. */
  timestamp: number | undefined
  exemplar: ParsedExemplar | undefined
  line: number
}

export interface ParsedFamily {
  name: string
  type: string
  help: string | undefined
  unit: string | undefined
  samples: ParsedSample[]
}

export type ParsedExposition = Map<string, ParsedFamily>

export class ExpositionError extends Error {
  readonly line: number
  readonly reason: string

  constructor (line: number, reason: string) {
    super(`line ${line}: ${reason}`)
    this.name = 'ExpositionError'
    this.line = line
    this.reason = reason
  }
}

/** What follows the family's name in the names of its samples. */
const kSuffixes: Record<ExpositionFormat, Record<string, readonly string[]>> = {
  prometheus: {
    counter: [''],
    gauge: [''],
    untyped: [''],
    histogram: ['_bucket', '_sum', '_count'],
    summary: ['', '_sum', '_count']
  },
  openmetrics: {
    counter: ['_total', '_created'],
    gauge: [''],
    unknown: [''],
    info: ['_info'],
    stateset: [''],
    histogram: ['_bucket', '_sum', '_count', '_created'],
    gaugehistogram: ['_bucket', '_gsum', '_gcount'],
    summary: ['', '_sum', '_count', '_created']
  }
}

const kDefaultType = { prometheus: 'untyped', openmetrics: 'unknown' }
const kMetadataOrder = ['TYPE', 'UNIT', 'HELP']
const kMetricName = /[a-zA-Z_:][a-zA-Z0-9_:]*/y
const kLabelName = /[a-zA-Z_][a-zA-Z0-9_]*/y
const kToken = /[^ ]+/y
const kReal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/
const kExemplarCodePoints = 128

/** One line and how far it has been read. */
class Cursor {
  readonly line: number
  readonly #text: string
  #at = 0

  constructor (text: string, line: number) {
    this.#text = text
    this.line = line
  }

  fail (reason: string): never {
    throw new ExpositionError(this.line, `${reason}, at column ${this.#at + 1}`)
  }

  get atEnd (): boolean {
    return this.#at === this.#text.length
  }

  skip (literal: string): boolean {
    if (!this.#text.startsWith(literal, this.#at)) return false
    this.#at += literal.length
    return true
  }

  expect (literal: string, where: string): void {
    if (!this.skip(literal)) this.fail(`expected ${JSON.stringify(literal)} ${where}`)
  }

  match (pattern: RegExp, what: string): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found === undefined || found === '') this.fail(`expected ${what}`)
    this.#at += found.length
    return found
  }

  rest (): string {
    const text = this.#text.slice(this.#at)
    this.#at = this.#text.length
    return text
  }

  /** An escaped string up to `end` (a quote, or nothing for the end of the line). */
  escaped (end: '"' | '', escapes: string): string {
    let value = ''
    for (;;) {
      const char = this.#text[this.#at]
      if (char === undefined) {
        if (end === '') return value
        this.fail('a label value is not closed')
      }
      if (char === end) {
        this.#at++
        return value
      }
      if (char === '"' && escapes.includes('"')) this.fail('a quote must be escaped')
      if (char === '\\') {
        const code = this.#text[this.#at + 1]
        if (code === undefined || !escapes.includes(code)) this.fail(`undefined escape \\${code ?? ''}`)
        value += code === 'n' ? '\n' : code
        this.#at += 2
        continue
      }
      value += char
      this.#at++
    }
  }
}

function toNumber (text: string, format: ExpositionFormat, cursor: Cursor): number {
  if (kReal.test(text)) {
    const value = Number(text)
    if (!Number.isFinite(value)) cursor.fail(`${text} does not fit a 64-bit float`)
    return value
  }
  if (format === 'prometheus') {
    if (text === 'NaN') return NaN
    if (text === '+Inf') return Infinity
    if (text === '-Inf') return -Infinity
  } else {
    if (/^nan$/i.test(text)) return NaN
    if (/^[+-]?inf(?:inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  }
  cursor.fail(`${JSON.stringify(text)} is not a number`)
}

function parseTimestamp (cursor: Cursor, format: ExpositionFormat): number {
  const text = cursor.match(kToken, 'a timestamp')
  if (!(format === 'prometheus' ? /^-?\d+$/ : kReal).test(text)) cursor.fail(`${JSON.stringify(text)} is not a timestamp`)
  return Number(text)
}

/** The labels between braces; the opening brace has been read. */
function parseLabels (cursor: Cursor, format: ExpositionFormat): Labels {
  const labels: Labels = Object.create(null)
  if (cursor.skip('}')) return labels
  for (;;) {
    const name = cursor.match(kLabelName, 'a label name')
    if (name.startsWith('__') || (format === 'openmetrics' && name.startsWith('_'))) cursor.fail(`label name ${name} is reserved`)
    if (name in labels) cursor.fail(`label ${name} is given twice`)
    cursor.expect('="', `after label name ${name}`)
    labels[name] = cursor.escaped('"', '\\n"')
    if (cursor.skip('}')) return labels
    cursor.expect(',', 'between labels')
    if (format === 'prometheus' && cursor.skip('}')) return labels
  }
}

function parseExemplar (cursor: Cursor, sample: ParsedSample, type: string): ParsedExemplar {
  if (!((type === 'counter' && sample.name.endsWith('_total')) || sample.name.endsWith('_bucket'))) {
    cursor.fail(`a sample ${sample.name} of a ${type} cannot have an exemplar`)
  }
  cursor.expect(' {', 'before the labels of an exemplar')
  const labels = parseLabels(cursor, 'openmetrics')
  let codePoints = 0
  for (const [name, value] of Object.entries(labels)) codePoints += [...name].length + [...value].length
  if (codePoints > kExemplarCodePoints) cursor.fail(`an exemplar's labels have ${codePoints} characters, ${kExemplarCodePoints} at most`)
  cursor.expect(' ', 'before the value of an exemplar')
  const value = toNumber(cursor.match(kToken, 'the value of an exemplar'), 'openmetrics', cursor)
  const timestamp = cursor.skip(' ') ? parseTimestamp(cursor, 'openmetrics') : undefined
  return { labels, value, timestamp }
}

/** Labels as one string: the same for the same series. An empty label is no label to Prometheus. */
function labelKey (labels: Labels, without?: string): string {
  const pairs = Object.entries(labels).filter(([name, value]) => value !== '' && name !== without)
  return JSON.stringify(pairs.sort(([a], [b]) => a < b ? -1 : 1))
}

function checkCount (sample: ParsedSample): void {
  if (!Number.isInteger(sample.value) || sample.value < 0) {
    throw new ExpositionError(sample.line, `${sample.name} counts events and cannot be ${sample.value}`)
  }
}

function checkHistogram (family: ParsedFamily, samples: readonly ParsedSample[], format: ExpositionFormat): void {
  const last = samples.at(-1)!
  const fail = (reason: string, line = last.line): never => { throw new ExpositionError(line, reason) }
  const gauge = family.type === 'gaugehistogram' ? 'g' : ''
  const find = (suffix: string) => samples.find(sample => sample.name === `${family.name}_${gauge}${suffix}`)
  const buckets = samples.filter(sample => sample.name === `${family.name}_bucket`)
  const sum = find('sum')
  const count = find('count')
  let bound = -Infinity
  let below = 0
  for (const bucket of buckets) {
    const { le } = bucket.labels
    const upper = le === '+Inf' ? Infinity : le !== undefined && kReal.test(le) ? Number(le) : fail(`le=${JSON.stringify(le)} is not a bucket's bound`, bucket.line)
    if (upper <= bound) fail(`bucket le="${le}" does not ascend`, bucket.line)
    checkCount(bucket)
    if (bucket.value < below) fail(`bucket le="${le}" holds less than the bucket before it: they are cumulative`, bucket.line)
    if (bucket.exemplar !== undefined && !(bucket.exemplar.value <= upper)) fail(`the exemplar is outside bucket le="${le}"`, bucket.line)
    bound = upper
    below = bucket.value
  }
  if (bound !== Infinity) fail(`${family.name} has no last bucket le="+Inf"`)
  if (count !== undefined && count.value !== below) fail(`${count.name} ${count.value} is not the +Inf bucket's ${below}`, count.line)
  const negativeBound = Number(buckets[0]!.labels.le) < 0
  // The text format leaves open whether there is a sum of values that may be negative; OpenTelemetry has it left out.
  const mayLackSum = format === 'prometheus' && negativeBound && count !== undefined
  if ((sum === undefined) !== (count === undefined) && !mayLackSum) fail(`${family.name} has only one of sum and count`)
  if (sum === undefined) {
    if (format === 'prometheus' && count === undefined) fail(`${family.name} has no sum and no count`)
    return
  }
  if (Number.isNaN(sum.value)) fail(`${sum.name} is NaN`, sum.line)
  if (format === 'openmetrics' && gauge === '') {
    if (negativeBound) fail(`${family.name} has a negative bound and so cannot have a sum`, sum.line)
    if (sum.value < 0) fail(`${sum.name} is negative`, sum.line)
  }
}

function checkSummary (family: ParsedFamily, samples: readonly ParsedSample[]): void {
  for (const sample of samples) {
    if (sample.name === family.name) {
      const { quantile } = sample.labels
      if (quantile === undefined || !kReal.test(quantile) || Number(quantile) < 0 || Number(quantile) > 1) {
        throw new ExpositionError(sample.line, `quantile=${JSON.stringify(quantile)} is not between 0 and 1`)
      }
    } else if (sample.name.endsWith('_count')) {
      checkCount(sample)
    } else if (Number.isNaN(sample.value)) {
      throw new ExpositionError(sample.line, `${sample.name} is NaN`)
    }
  }
}

function checkSample (family: ParsedFamily, sample: ParsedSample, format: ExpositionFormat): void {
  const fail = (reason: string): never => { throw new ExpositionError(sample.line, reason) }
  const { labels, value } = sample
  if (sample.name !== family.name && sample.name.endsWith('_created') && !(value >= 0 && value < Infinity)) fail(`${sample.name} is a time and cannot be ${value}`)
  if (family.type === 'counter' && !(value >= 0)) fail(`a counter cannot be ${value}`)
  if (family.type === 'info' && value !== 1) fail(`an info is always 1, not ${value}`)
  if (family.type === 'stateset') {
    if (labels[family.name] === undefined) fail(`a state of ${family.name} needs a label of that name`)
    if (value !== 0 && value !== 1) fail(`a state is 0 or 1, not ${value}`)
  }
  const isBucket = family.type.endsWith('histogram') && sample.name.endsWith('_bucket')
  if ('le' in labels && !isBucket && family.type.endsWith('histogram')) fail(`only buckets have le, not ${sample.name}`)
  if (family.type === 'summary' && sample.name !== family.name && 'quantile' in labels) fail(`only quantiles have quantile, not ${sample.name}`)
  if (format === 'openmetrics' && family.name.startsWith('_')) fail(`name ${family.name} is reserved`)
}

class Reader {
  readonly families: ParsedExposition = new Map()
  readonly #format: ExpositionFormat
  /** Sample names that a family owns, present or not: two families must not be able to write the same name. */
  readonly #owners = new Map<string, string>()
  #family: ParsedFamily | undefined
  #metadata: string[] = []

  constructor (format: ExpositionFormat) {
    this.#format = format
  }

  metadata (cursor: Cursor): void {
    const keyword = cursor.match(kToken, 'TYPE, HELP or UNIT')
    if (keyword === 'EOF') cursor.fail('# EOF that is not the end')
    const known = keyword === 'TYPE' || keyword === 'HELP' || (keyword === 'UNIT' && this.#format === 'openmetrics')
    if (!known) cursor.fail(`a comment (${keyword})`)
    cursor.expect(' ', `after ${keyword}`)
    const name = cursor.match(kMetricName, 'a metric name')
    if (this.#family?.name !== name) this.#open(name, cursor.line)
    const family = this.#family!
    if (family.samples.length > 0) cursor.fail(`${keyword} of ${name} comes after its samples`)
    if (this.#metadata.includes(keyword)) cursor.fail(`a second ${keyword} of ${name}`)
    const rank = kMetadataOrder.indexOf(keyword)
    if (this.#format === 'openmetrics' && this.#metadata.some(earlier => kMetadataOrder.indexOf(earlier) > rank)) {
      cursor.fail(`${keyword} of ${name} comes late: the order is ${kMetadataOrder.join(', ')}`)
    }
    this.#metadata.push(keyword)
    if (keyword === 'HELP' && cursor.atEnd && this.#format === 'prometheus') return
    cursor.expect(' ', `after the name of ${name}`)
    if (keyword === 'HELP') {
      const help = cursor.escaped('', this.#format === 'prometheus' ? '\\n' : '\\n"')
      if (help !== '') family.help = help
    } else if (keyword === 'TYPE') {
      family.type = cursor.rest()
      if (!Object.hasOwn(kSuffixes[this.#format], family.type)) cursor.fail(`${JSON.stringify(family.type)} is not a type of this format`)
    } else {
      const unit = cursor.rest()
      if (!/^[a-zA-Z0-9_:]*$/.test(unit)) cursor.fail(`${JSON.stringify(unit)} is not a unit`)
      if (unit !== '') family.unit = unit
      if (unit !== '' && !name.endsWith(`_${unit}`)) cursor.fail(`${name} does not end in its unit ${unit}`)
      if (unit !== '' && (family.type === 'info' || family.type === 'stateset')) cursor.fail(`a ${family.type} has no unit`)
    }
  }

  sample (cursor: Cursor): void {
    const name = cursor.match(kMetricName, 'a metric name')
    const labels = cursor.skip('{') ? parseLabels(cursor, this.#format) : Object.create(null) as Labels
    if (!this.#names().includes(name)) {
      if (this.#owners.has(name) || this.families.has(name)) {
        const owner = this.#owners.get(name) ?? name
        cursor.fail(`${name} does not belong here: ${this.families.get(owner)!.type} ${owner} has ${this.#names(owner).join(', ')}`)
      }
      this.#open(name, cursor.line)
    }
    cursor.expect(' ', 'before the value')
    const value = toNumber(cursor.match(kToken, 'a value'), this.#format, cursor)
    const sample: ParsedSample = { name, labels, value, timestamp: undefined, exemplar: undefined, line: cursor.line }
    const family = this.#family!
    let more = cursor.skip(' ')
    if (more && !(this.#format === 'openmetrics' && cursor.skip('#'))) {
      sample.timestamp = parseTimestamp(cursor, this.#format)
      more = cursor.skip(' ')
      if (more) cursor.expect('#', 'after the timestamp')
    }
    if (more) sample.exemplar = parseExemplar(cursor, sample, family.type)
    if (!cursor.atEnd) cursor.fail('text after the sample')
    checkSample(family, sample, this.#format)
    family.samples.push(sample)
  }

  close (): void {
    const family = this.#family
    if (family === undefined) return
    const own = family.type.endsWith('histogram') ? 'le' : family.type === 'summary' ? 'quantile' : family.type === 'stateset' ? family.name : undefined
    const series = new Set<string>()
    const metrics = new Map<string, ParsedSample[]>()
    let lastKey: string | undefined
    for (const sample of family.samples) {
      const seriesKey = sample.name + labelKey(sample.labels)
      if (series.has(seriesKey)) throw new ExpositionError(sample.line, `series ${seriesKey} is given twice`)
      series.add(seriesKey)
      const key = labelKey(sample.labels, own)
      const metric = metrics.get(key)
      if (metric === undefined) metrics.set(key, [sample])
      else if (key !== lastKey) throw new ExpositionError(sample.line, `the lines of ${family.name}${key} are not together`)
      else metric.push(sample)
      lastKey = key
    }
    for (const samples of metrics.values()) {
      if (family.type.endsWith('histogram')) checkHistogram(family, samples, this.#format)
      if (family.type === 'summary') checkSummary(family, samples)
    }
  }

  #names (family = this.#family?.name): string[] {
    const type = family === undefined ? undefined : this.families.get(family)?.type
    return type === undefined ? [] : kSuffixes[this.#format][type]!.map(suffix => family + suffix)
  }

  #open (name: string, line: number): void {
    this.#claim(line)
    this.close()
    if (this.families.has(name)) throw new ExpositionError(line, `the lines of ${name} are not together, or it is defined twice`)
    this.#family = { name, type: kDefaultType[this.#format], help: undefined, unit: undefined, samples: [] }
    this.#metadata = []
    this.families.set(name, this.#family)
  }

  /** The type of a family is certain once the next one begins. */
  #claim (line: number): void {
    for (const name of this.#names()) {
      const owner = this.#owners.get(name)
      if (owner !== undefined) throw new ExpositionError(line, `${this.#family!.name} and ${owner} would both write ${name}`)
      this.#owners.set(name, this.#family!.name)
    }
  }

  end (line: number): ParsedExposition {
    this.#claim(line)
    this.close()
    return this.families
  }
}

function toText (source: string | Uint8Array): string {
  let text: string
  try {
    text = typeof source === 'string' ? source : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(source)
  } catch {
    throw new ExpositionError(1, 'not UTF-8')
  }
  if (text.startsWith('\uFEFF')) throw new ExpositionError(1, 'a byte order mark')
  return text
}

/**
 * Reads one whole scrape.
 * @throws ExpositionError with the line and the reason of the first breach
 */
export function parseExposition (source: string | Uint8Array, format: ExpositionFormat): ParsedExposition {
  const lines = toText(source).split('\n')
  const reader = new Reader(format)
  const trailer = lines.pop()!
  if (format === 'openmetrics' && trailer !== '') lines.push(trailer)
  else if (trailer !== '') throw new ExpositionError(lines.length + 1, 'the last line does not end in a line feed')
  const eof = format === 'openmetrics' ? lines.length - 1 : -1
  for (const [index, text] of lines.entries()) {
    const cursor = new Cursor(text, index + 1)
    if (/\p{Surrogate}/u.test(text)) cursor.fail('a lone surrogate')
    if (text.endsWith('\r')) cursor.fail('a carriage return ends the line')
    if (text === '') cursor.fail('an empty line')
    if (index === eof) {
      if (text !== '# EOF') cursor.fail('the last line is not # EOF')
    } else if (cursor.skip('#')) {
      cursor.expect(' ', 'after #')
      reader.metadata(cursor)
    } else {
      reader.sample(cursor)
    }
  }
  if (format === 'openmetrics' && lines.length === 0) throw new ExpositionError(1, 'the last line is not # EOF')
  return reader.end(lines.length)
}

/** The one sample of that name with exactly these labels (an empty label counts as none), or undefined. */
export function findSample (exposition: ParsedExposition, name: string, labels: Labels = {}): ParsedSample | undefined {
  const key = labelKey(labels)
  for (const family of exposition.values()) {
    const found = family.samples.find(sample => sample.name === name && labelKey(sample.labels) === key)
    if (found !== undefined) return found
  }
  return undefined
}

/** The value of the one sample of that name with exactly these labels, or undefined. */
export function sampleValue (exposition: ParsedExposition, name: string, labels: Labels = {}): number | undefined {
  return findSample(exposition, name, labels)?.value
}

/** How many lines that are not metadata. */
export function countSamples (exposition: ParsedExposition): number {
  let count = 0
  for (const family of exposition.values()) count += family.samples.length
  return count
}
