import { toSampleValue } from './byte-writer.ts'
import type { RowWriter } from './row-writer.ts'

/**
 * The lines of a summary, which comes from other registries only: its quantiles, sum and count, written anew each time. Where
 * sums have to grow, there is none beside a negative value.
 */
export function summaryWriter (name: string, quantiles: readonly string[], constantText: string, sumsGrow: boolean): RowWriter {
  return {
    write ({ text }, cells, at) {
      const labels = [constantText, text].filter(part => part !== '').join(',')
      const open = labels === '' ? '{' : `{${labels},`
      const set = labels === '' ? '' : `{${labels}}`
      const lines = quantiles.map((quantile, i) => `${name}${open}quantile="${quantile}"} ${toSampleValue(cells[at + 2 + i]!)}\n`)
      const hasSum = !sumsGrow || !cells.subarray(at + 1, at + 2 + quantiles.length).some(value => value < 0)
      const sum = hasSum ? `${name}_sum${set} ${toSampleValue(cells[at + 1]!)}\n` : ''
      return `${lines.join('')}${sum}${name}_count${set} ${toSampleValue(cells[at]!)}\n`
    },
    patch: () => false
  }
}
