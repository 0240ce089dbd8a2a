import { shown, VitalsError } from '../errors.ts'
import { Bank } from './bank.ts'
import type { Keeper, MetricDefinition } from './family.ts'
import { Family } from './family.ts'
import type { Labels } from './labels.ts'
import { isLabels } from './labels.ts'
import { Series } from './series.ts'
import { isTraceHeld, whenTracing } from './traces.ts'

/** What a histogram is defined by. */
export interface HistogramDefinition<L extends string = string> extends MetricDefinition<L> {
  /** Upper bounds (inclusive) of the buckets, ascending, in the metric's unit; +Inf is always added. @default {@link DURATION_BUCKETS} */
  readonly buckets?: readonly number[]
}

/** Bounds for latencies, in seconds. */
export const DURATION_BUCKETS: readonly number[] = Object.freeze([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])

/** The bounds in the form the store keeps, or an error that says what is wrong with them. */
export function toBounds (metric: string, buckets: unknown): readonly number[] {
  const bounds = Array.isArray(buckets) && buckets.at(-1) === Infinity ? buckets.slice(0, -1) : buckets
  if (!Array.isArray(bounds) || bounds.length === 0 || !bounds.every((bound, i) => Number.isFinite(bound) && (i === 0 || bound > bounds[i - 1]))) {
    throw new VitalsError('FSV_ERR_INVALID_METRIC', `buckets of ${metric} must be an array of one or more finite numbers in ascending order, got: ${shown(buckets)}`)
  }
  return Object.freeze([...bounds])
}

/** One label set of a histogram. */
export class HistogramSeries extends Series {
  declare readonly bank: Bank<HistogramSeries>

  /** Records a value; what is not a finite number is refused, counted and logged once. */
  observe (value: number): void {
    add(this, value)
  }
}

/** Whether it was this series that took the value. */
function add (series: HistogramSeries, value: number): boolean {
  const { bank, at } = series
  if (!Number.isFinite(value)) {
    bank.family.fault('value', `a value must be a finite number, got: ${shown(value)}`)
    return false
  }
  if (at < 0) {
    bank.family.successor(series).observe(value)
    return false
  }
  const { cells, uppers } = bank
  cells[at]!++
  cells[at + 1]! += value
  let i = 0
  while (i < uppers.length && value > uppers[i]!) i++
  if (i < uppers.length) cells[at + 2 + i]!++
  return true
}

class TracedHistogramSeries extends HistogramSeries {}

class TracingHistogramSeries extends HistogramSeries {
  override observe (value: number): void {
    if (add(this, value) && (this.bank.asker!.isAsking || isTraceHeld)) this.bank.family.exemplars!.offer(this, value)
  }
}

// Not a question for each record, see the counter.
whenTracing(() => { TracedHistogramSeries.prototype.observe = TracingHistogramSeries.prototype.observe })

class OverflowHistogramSeries extends HistogramSeries {
  override observe (value: number): void {
    if (Number.isFinite(value)) this.bank.family.overflowed()
    super.observe(value)
  }
}

/** How often values fell into each bucket, with their sum: durations, sizes. */
export class Histogram<L extends string = never> extends Family<HistogramSeries, L> {
  constructor (definition: HistogramDefinition<L>, keeper: Keeper) {
    const bounds = toBounds(definition.name, definition.buckets ?? DURATION_BUCKETS)
    super('histogram', definition, keeper, { Regular: HistogramSeries, Overflow: OverflowHistogramSeries, Traced: TracedHistogramSeries }, new Bank(bounds, true))
  }

  /** Records a value in the series of a label set. */
  observe (...args: [L] extends [never] ? [value: number] : [labels: Labels<L>, value: number]): void
  observe (first: Labels<L> | number, second?: number): void {
    if (isLabels(first)) this.resolve(first).observe(second as number)
    else this.resolve(undefined).observe(first)
  }
}
