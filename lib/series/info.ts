import { Bank } from './bank.ts'
import type { Keeper, MetricDefinition } from './family.ts'
import { Family } from './family.ts'
import type { Labels } from './labels.ts'
import { Series } from './series.ts'

/** One label set of an info: always 1. */
export class InfoSeries extends Series {
  declare readonly bank: Bank<InfoSeries>

  set (): void {
    if (this.at < 0) return this.bank.family.successor(this).set()
    this.bank.cells[this.at] = 1
  }
}

class OverflowInfoSeries extends InfoSeries {
  override set (): void {
    super.set()
    this.bank.family.overflowed()
  }
}

/** Facts about the service as labels of a series that is 1: version, environment, region. */
export class Info<L extends string = never> extends Family<InfoSeries, L> {
  constructor (definition: MetricDefinition<L>, keeper: Keeper) {
    super('info', definition, keeper, { Regular: InfoSeries, Overflow: OverflowInfoSeries }, new Bank([], false))
  }

  /** States a label set. */
  set (labels: Labels<L>): void {
    this.resolve(labels).set()
  }
}
