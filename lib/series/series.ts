import type { Bank } from './bank.ts'
import { parseLabelText } from './labels.ts'

/** One label set of a metric and its row of numbers, in as little memory as it takes. The classes of each type add how to record. */
export abstract class Series {
  readonly bank: Bank
  /** The label set as the exposition writes it: the identity of the series within its family. */
  readonly text: string
  /** Offset of the row in the bank's cells; -1 once the series was removed. */
  at = -1

  constructor (bank: Bank, text: string) {
    this.bank = bank
    this.text = text
  }

  /** The family's label names, or those and some more where one series carries extra labels; read from the text on each access. */
  get names (): readonly string[] {
    return parseLabelText(this.text).names
  }

  /** A value for each of the names. */
  get values (): readonly string[] {
    return parseLabelText(this.text).values
  }
}
