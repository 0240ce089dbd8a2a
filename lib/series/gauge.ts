import { shown } from '../errors.ts'
import { Bank } from './bank.ts'
import type { Keeper, MetricDefinition } from './family.ts'
import { Family } from './family.ts'
import type { Labels } from './labels.ts'
import { isLabels } from './labels.ts'
import { Series } from './series.ts'

/** What a gauge is defined by. */
export interface GaugeDefinition<L extends string = string> extends MetricDefinition<L> {
  /**
   * Called before each snapshot, to set values that are read rather than recorded. What it throws is counted and logged
   * once; a snapshot does not wait for a promise, what it sets shows in the next.
   */
  readonly collect?: (gauge: Gauge<L>) => unknown
}

/** One label set of a gauge. */
export class GaugeSeries extends Series {
  declare readonly bank: Bank<GaugeSeries>

  /** Sets the value; what is not a finite number is refused, counted and logged once. */
  set (value: number): void {
    if (!Number.isFinite(value)) return this.bank.family.fault('value', `a value must be a finite number, got: ${shown(value)}`)
    if (this.at < 0) return this.bank.family.successor(this).set(value)
    this.bank.cells[this.at] = value
  }

  /** @default 1 */
  inc (value: number = 1): void {
    if (!Number.isFinite(value)) return this.bank.family.fault('value', `a value must be a finite number, got: ${shown(value)}`)
    if (this.at < 0) return this.bank.family.successor(this).inc(value)
    this.bank.cells[this.at]! += value
  }

  /** @default 1 */
  dec (value: number = 1): void {
    this.inc(typeof value === 'number' ? -value : value)
  }

  /** Counts something that has begun: {@link GaugeSeries.lower} of the series that this returns when it ends. */
  raise (): GaugeSeries {
    if (this.at < 0) return this.bank.family.successor(this).raise()
    this.bank.cells[this.at]!++
    return this
  }

  /** It has ended. A series that was removed in between took it along; one that was reset does not go below zero. */
  lower (): void {
    if (this.at >= 0 && this.bank.cells[this.at]! > 0) this.bank.cells[this.at]!--
  }
}

class OverflowGaugeSeries extends GaugeSeries {
  override set (value: number): void {
    if (Number.isFinite(value)) this.bank.family.overflowed()
    super.set(value)
  }

  override inc (value: number = 1): void {
    if (Number.isFinite(value)) this.bank.family.overflowed()
    super.inc(value)
  }

  override raise (): GaugeSeries {
    this.bank.family.overflowed()
    return super.raise()
  }

  override lower (): void {
    this.bank.family.overflowed()
    super.lower()
  }
}

/** A value that goes up and down: connections open, queue depth, temperature. */
export class Gauge<L extends string = never> extends Family<GaugeSeries, L> {
  constructor (definition: MetricDefinition<L>, keeper: Keeper) {
    super('gauge', definition, keeper, { Regular: GaugeSeries, Overflow: OverflowGaugeSeries }, new Bank([], false))
  }

  /** Sets the series of a label set. */
  set (...args: [L] extends [never] ? [value: number] : [labels: Labels<L>, value: number]): void
  set (first: Labels<L> | number, second?: number): void {
    if (isLabels(first)) this.resolve(first).set(second as number)
    else this.resolve(undefined).set(first)
  }

  /** Adds to the series of a label set. The step defaults to 1. */
  inc (...args: [L] extends [never] ? [value?: number] : [labels: Labels<L>, value?: number]): void
  inc (first?: Labels<L> | number, second?: number): void {
    if (isLabels(first)) this.resolve(first).inc(second)
    else this.resolve(undefined).inc(first)
  }

  /** Takes from the series of a label set. The step defaults to 1. */
  dec (...args: [L] extends [never] ? [value?: number] : [labels: Labels<L>, value?: number]): void
  dec (first?: Labels<L> | number, second?: number): void {
    if (isLabels(first)) this.resolve(first).dec(second)
    else this.resolve(undefined).dec(first)
  }
}
