import { shown, thrown } from '../errors.ts'
import { Bank } from './bank.ts'
import type { Unsettled } from './batch.ts'
import { IDLE_SERIES } from './idle.ts'
import type { Labels } from './labels.ts'
import { escapeLabelValue, labelText, toLabelValue } from './labels.ts'
import type { MetricType } from './names.ts'
import { Exemplars } from './exemplars.ts'
import type { OtlpIdentity } from './otlp-identity.ts'
import type { Series } from './series.ts'
import type { Traces } from './traces.ts'

/** What a metric is defined by. */
export interface MetricDefinition<L extends string = string> {
  /** `<namespace>_<subsystem>_<name>_<unit>`; counters end in `_total`. */
  readonly name: string
  /** One sentence for people. */
  readonly help: string
  /** Label names. @default [] */
  readonly labels?: readonly L[]
  /** Base unit (`seconds`, `bytes`, …); the name ends in it. */
  readonly unit?: string
  /** Says that a label with one value for each user, request … is meant. @default false */
  readonly allowHighCardinality?: boolean
  /** The name, unit and attributes under which it is pushed to OpenTelemetry; `false` keeps it to Prometheus. @default its own name and labels */
  readonly otlp?: OtlpIdentity | false
}

/** What can be wrong with a record; each is logged once for each metric. */
export type FaultKind = 'value' | 'label value' | 'label name' | 'collect'

/** What a family needs of the store that holds it. */
export interface Keeper {
  /** False in a store that only keeps up the interface. */
  readonly isRecording: boolean
  /** Where records find their trace; `undefined` where no exemplars are kept. */
  readonly traces: Traces | undefined
  /** Records that have been noted and are to be made before anybody looks. */
  readonly unsettled: Unsettled
  /** Whether the family may have one more series; takes the place if so. */
  admit (family: Family): boolean
  release (family: Family): void
  /** A record went to the overflow series. */
  overflowed (family: Family): void
  /** A record was refused or mended: counted, and logged once for each family and kind. */
  fault (family: Family, kind: FaultKind, problem: string): void
  now (): number
}

/** The label set of the series that takes what the limits refuse. */
const OVERFLOW_TEXT = labelText(['overflow'], ['true'])

const NO_LABELS: Readonly<Record<string, unknown>> = Object.freeze({})

/** How the series of a type are made: those of label sets, and the one that takes what the limits refuse. */
export interface SeriesClasses<S extends Series> {
  readonly Regular: SeriesClass<S>
  readonly Overflow: SeriesClass<S>
  /** In place of the regular one where exemplars are kept. */
  readonly Traced?: SeriesClass<S>
}

type SeriesClass<S extends Series> = new (bank: Bank, text: string) => S

/** A metric with all its series. The classes of each type add how to record. */
export abstract class Family<S extends Series = Series, L extends string = string> {
  readonly type: MetricType
  readonly name: string
  readonly help: string
  readonly unit: string | undefined
  readonly labelNames: readonly L[]
  readonly otlp: OtlpIdentity | false | undefined
  /** The first bank has the metric's own shape; others hold series with other bounds. */
  readonly banks: [Bank<S>, ...Bank<S>[]]
  /** `undefined` where none are kept. */
  readonly exemplars: Exemplars | undefined
  readonly #keeper: Keeper
  readonly #index = new Map<string, S>()
  /** `name="` before each value, with the comma. */
  readonly #openers: readonly string[]
  readonly #classes: SeriesClasses<S>
  #overflow: S | undefined

  constructor (type: MetricType, definition: MetricDefinition<L>, keeper: Keeper, classes: SeriesClasses<S>, bank: Bank<S>) {
    this.type = type
    this.name = definition.name
    this.help = definition.help
    this.unit = definition.unit
    this.otlp = definition.otlp
    this.labelNames = Object.freeze([...definition.labels ?? []])
    this.banks = [bank]
    bank.family = this
    this.#keeper = keeper
    this.#classes = classes
    this.exemplars = keeper.traces === undefined || classes.Traced === undefined ? undefined : new Exemplars(keeper.traces)
    bank.asker = this.exemplars?.asker
    this.#openers = this.labelNames.map((name, i) => `${i === 0 ? '' : ','}${name}="`)
    if (this.labelNames.length === 0) this.bind([])
  }

  /** How many series there are, the overflow series left out. */
  get size (): number {
    return this.#index.size
  }

  /** The series of a label set, made on first use: hold on to it, it is the fast way to record. */
  with (labels: Labels<L>): S {
    return this.resolve(labels)
  }

  /** Forgets the series of a label set. A bound series that records again starts anew from zero. */
  remove (labels: Labels<L>): void {
    let series: S | undefined
    try {
      series = this.find(labels)
    } catch (error) {
      this.fault('label value', `reading its labels must not throw, it threw: ${thrown(error)}`)
    }
    if (series !== undefined) this.drop(series)
  }

  /** Forgets a series. */
  drop (series: S): void {
    if (series === this.#overflow) return
    this.#keeper.unsettled.settle()
    this.#index.delete(series.text)
    this.exemplars?.forget(series)
    series.bank.remove(series)
    this.#keeper.release(this)
  }

  /** Starts every series anew from zero; the label sets stay. */
  reset (): void {
    this.#keeper.unsettled.settle()
    for (const bank of this.banks) bank.reset(this.#keeper.now())
    this.exemplars?.clear()
  }

  /** The series of a label set if there is one. */
  find (from: unknown): S | undefined {
    const labels = (typeof from === 'object' && from !== null ? from : NO_LABELS) as Readonly<Record<string, unknown>>
    if ('overflow' in labels) return this.#overflow
    const values = this.labelNames.map(name => toLabelValue(labels[name]).value)
    const extra = Object.keys(labels).filter(name => !(this.labelNames as readonly string[]).includes(name)).sort()
    const text = labelText([...this.labelNames, ...extra], [...values, ...extra.map(name => toLabelValue(labels[name]).value)])
    return this.#index.get(text)
  }

  /**
   * The series of label values that are known to be strings in the order of the label names, with labels of its own
   * and bounds of its own where asked for: what instrumentation binds at start.
   */
  bind (values: readonly string[], extra: Readonly<Record<string, string>> = {}, bounds: readonly number[] = this.banks[0].bounds): S {
    const extraNames = Object.keys(extra).sort()
    return this.#obtain(labelText([...this.labelNames, ...extraNames], [...values, ...extraNames.map(name => extra[name]!)]), bounds)
  }

  /** The series that a removed one's records belong to now. */
  successor (removed: Series): S {
    return this.#obtain(removed.text, removed.bank.bounds)
  }

  /** Counts a record that came wrong; see {@link Keeper.fault}. */
  fault (kind: FaultKind, problem: string): void {
    this.#keeper.fault(this, kind, problem)
  }

  /** The series that takes what the limits refuse: made where there is none yet, or only looked for. */
  overflow (): S
  overflow (isWanted: false): S | undefined
  overflow (isWanted: boolean = true): S | undefined {
    if (this.#overflow === undefined && isWanted) {
      const bank = this.banks[0]
      this.#overflow = new this.#classes.Overflow(bank, OVERFLOW_TEXT)
      this.#overflow.at = bank.add(this.#overflow, this.#keeper.now())
    }
    return this.#overflow
  }

  /** Counts a record of the overflow series. */
  overflowed (): void {
    this.#keeper.overflowed(this)
  }

  /** The series for labels as an application gives them; what is wrong with them is mended, counted and logged once. */
  protected resolve (labels: unknown): S {
    if (!this.#keeper.isRecording) return IDLE_SERIES as S
    let text = ''
    try {
      text = this.#textOf((labels ?? NO_LABELS) as Readonly<Record<string, unknown>>)
    } catch (error) {
      // A getter or a proxy of the application's: the record counts all the same.
      this.fault('label value', `reading its labels must not throw, it threw: ${thrown(error)}`)
      text = labelText(this.labelNames, this.labelNames.map(() => ''))
    }
    return this.#index.get(text) ?? this.#obtain(text, this.banks[0].bounds)
  }

  #textOf (labels: Readonly<Record<string, unknown>>): string {
    const names = this.labelNames
    let text = ''
    for (let i = 0; i < names.length; i++) {
      const value = labels[names[i]!]
      if (typeof value === 'string' && value.length < 256) {
        text += this.#openers[i]! + escapeLabelValue(value) + '"'
      } else {
        const stored = toLabelValue(value)
        if (stored.fault !== undefined) this.fault('label value', `label ${names[i]!} must be a string, number, boolean or bigint, it is ${stored.fault}`)
        text += this.#openers[i]! + escapeLabelValue(stored.value) + '"'
      }
    }
    for (const name in labels) {
      if (!(names as readonly string[]).includes(name)) this.fault('label name', `its labels are ${names.length === 0 ? 'none' : names.join(', ')}, got: ${shown(name)}`)
    }
    return text
  }

  #obtain (text: string, bounds: readonly number[]): S {
    if (!this.#keeper.isRecording) return IDLE_SERIES as S
    const existing = this.#index.get(text)
    if (existing !== undefined) return existing
    if (!this.#keeper.admit(this)) return this.overflow()
    const bank = this.#bankOf(bounds)
    const Class = this.exemplars === undefined ? this.#classes.Regular : this.#classes.Traced!
    const series = new Class(bank, inOnePiece(text))
    series.at = bank.add(series, this.#keeper.now())
    this.#index.set(series.text, series)
    return series
  }

  #bankOf (bounds: readonly number[]): Bank<S> {
    const own = this.banks[0]
    if (bounds === own.bounds) return own
    const same = this.banks.find(bank => bank.bounds.length === bounds.length && bank.bounds.every((bound, i) => bound === bounds[i]))
    if (same !== undefined) return same
    const bank = new Bank<S>(bounds, true)
    bank.family = this
    bank.asker = own.asker
    this.banks.push(bank)
    return bank
  }
}

/** The same string without the pieces it was joined from, which would be kept with it. */
function inOnePiece (text: string): string {
  return Buffer.from(text).toString()
}
