import { shown } from '../errors.ts'
import { Bank } from './bank.ts'
import type { Keeper, MetricDefinition } from './family.ts'
import { Family } from './family.ts'
import type { Labels } from './labels.ts'
import { isLabels } from './labels.ts'
import { Series } from './series.ts'
import { isTraceHeld, whenTracing } from './traces.ts'

function isStep (value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value < Infinity
}

/** One label set of a counter. */
export class CounterSeries extends Series {
  declare readonly bank: Bank<CounterSeries>

  /** Adds a step of zero or more; anything else is refused, counted and logged once. @default 1 */
  inc (value: number = 1): void {
    add(this, value)
  }
}

/** Whether it was this series that took the value. */
function add (series: CounterSeries, value: number): boolean {
  const { bank, at } = series
  if (!isStep(value)) {
    bank.family.fault('value', `a step must be a finite number of zero or more, got: ${shown(value)}`)
    return false
  }
  if (at < 0) {
    bank.family.successor(series).inc(value)
    return false
  }
  bank.cells[at]! += value
  return true
}

class TracedCounterSeries extends CounterSeries {}

class TracingCounterSeries extends CounterSeries {
  override inc (value: number = 1): void {
    if (add(this, value) && (this.bank.asker!.isAsking || isTraceHeld)) this.bank.family.exemplars!.offer(this, value)
  }
}

// Not a question for each record: where nothing can be traced, recording takes what it takes without exemplars.
whenTracing(() => { TracedCounterSeries.prototype.inc = TracingCounterSeries.prototype.inc })

class OverflowCounterSeries extends CounterSeries {
  override inc (value: number = 1): void {
    if (isStep(value)) this.bank.family.overflowed()
    super.inc(value)
  }
}

/** A value that only goes up: requests served, tasks created, bytes sent. */
export class Counter<L extends string = never> extends Family<CounterSeries, L> {
  constructor (definition: MetricDefinition<L>, keeper: Keeper) {
    super('counter', definition, keeper, { Regular: CounterSeries, Overflow: OverflowCounterSeries, Traced: TracedCounterSeries }, new Bank([], false))
  }

  /** Adds to the series of a label set. The step defaults to 1; a negative or infinite one is refused. */
  inc (...args: [L] extends [never] ? [value?: number] : [labels: Labels<L>, value?: number]): void
  inc (first?: Labels<L> | number, second?: number): void {
    if (isLabels(first)) this.resolve(first).inc(second)
    else this.resolve(undefined).inc(first)
  }
}
