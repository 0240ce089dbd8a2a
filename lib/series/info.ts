import { Bank } from './bank.ts'
import type { Keeper, MetricDefinition } from './family.ts'
import { Family } from './family.ts'
import type { Labels } from './labels.ts'
import { Series } from './series.ts'

/** One label set of an info: 1 from the start. */
export class InfoSeries extends Series {
  declare readonly bank: Bank<InfoSeries>

  /** States the label set, again if it was removed. */
  set (): void {
    if (this.at < 0) this.bank.family.successor(this)
  }
}

class OverflowInfoSeries extends InfoSeries {
  override set (): void {
    this.bank.family.overflowed()
  }
}

/** Facts about the service as labels of a series that is 1: version, environment, region. */
export class Info<L extends string = never> extends Family<InfoSeries, L> {
  constructor (definition: MetricDefinition<L>, keeper: Keeper) {
    super('info', definition, keeper, { Regular: InfoSeries, Overflow: OverflowInfoSeries }, new Bank([], false, 1))
  }

  /** States a label set. */
  set (labels: Labels<L>): void {
    this.resolve(labels).set()
  }
}
