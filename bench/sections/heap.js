import { startChild } from '../child.js'
import { median } from '../stats.js'
import { number } from '../table.js'

const lines = 100_000

export const title = 'Memory per line of a scrape'
export const method = `heapUsed and external (which has the array buffers) of a process holding 100,000 lines, less the same before, after
full collections; before any scrape and after one. The strings of the labels are the application's and not counted.`
export const columns = ['bytes before a scrape (target ≤ 25)', 'bytes after one (target ≤ 180)']
export const uses = 'createStore'

export async function measure (names, { generations }) {
  const rows = []
  for (const name of names) {
    const filled = []
    const scraped = []
    for (let generation = 0; generation < Math.ceil(generations / 3); generation++) {
      const child = await startChild('./worker.js', [name], { execArgv: ['--expose-gc'] })
      const held = await child.ask({ task: 'heap', lines })
      filled.push(held.filled / lines)
      scraped.push(held.scraped / lines)
      child.stop()
    }
    rows.push([name, number(median(filled), 0), number(median(scraped), 0)])
  }
  return rows
}
