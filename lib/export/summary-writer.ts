import { toSampleValue } from './byte-writer.ts'
import type { RowWriter } from './row-writer.ts'
import { hasSummarySum } from './sums.ts'

/** The lines of a summary, which comes from other registries only: its quantiles, sum and count, written anew each time. */
export function summaryWriter (name: string, quantiles: readonly string[], constantText: string, isSemconv: boolean): RowWriter {
  return {
    write ({ text }, cells, at) {
      const labels = [constantText, text].filter(part => part !== '').join(',')
      const open = labels === '' ? '{' : `{${labels},`
      const set = labels === '' ? '' : `{${labels}}`
      const lines = quantiles.map((quantile, i) => `${name}${open}quantile="${quantile}"} ${toSampleValue(cells[at + 2 + i]!)}\n`)
      const sum = hasSummarySum(isSemconv, cells, at, quantiles.length) ? `${name}_sum${set} ${toSampleValue(cells[at + 1]!)}\n` : ''
      return `${lines.join('')}${sum}${name}_count${set} ${toSampleValue(cells[at]!)}\n`
    },
    patch: () => false
  }
}
