import type { Bank } from './bank.ts'
import type { Family } from './family.ts'

/** One label set of a metric and its row of numbers. The classes of each type add how to record. */
export abstract class Series {
  readonly family: Family
  readonly bank: Bank
  /** Values of the family's label names, then of the series' own. */
  readonly values: readonly string[]
  /** The family's label names, or those and some more where one series carries extra labels. */
  readonly names: readonly string[]
  /** The label set as the exposition writes it: the identity of the series within its family. */
  readonly text: string
  /** Offset of the row in the bank's cells; -1 once the series was removed. */
  at = -1

  constructor (family: Family, bank: Bank, names: readonly string[], values: readonly string[], text: string) {
    this.family = family
    this.bank = bank
    this.names = names
    this.values = values
    this.text = text
  }
}
