import { startChild } from '../child.js'
import { median, shuffled, summary } from '../stats.js'
import { cell, number } from '../table.js'

export const title = 'Longest event-loop block during a scrape of 100,000 lines'
export const method = `A sampler that asks for every turn of the loop (setImmediate) keeps the longest time between two: the lesser of the
clock and of the process's CPU time, so that what the machine gave to other processes does not count. All series touched; what was
garbage before is collected first. Median and quartiles over all scrapes.`
export const columns = ['ms (target ≤ 5)', '÷ prom-client']
export const uses = 'createStore'

export async function measure (names, { generations, rounds }) {
  const longest = new Map(names.map((name) => [name, []]))
  for (let generation = 0; generation < Math.ceil(generations / 3); generation++) {
    const workers = []
    for (const name of names) {
      const child = await startChild('./worker.js', [name], { execArgv: ['--expose-gc'] })
      await child.ask({ task: 'fill', lines: 100_000 })
      await child.ask({ task: 'scrape', every: 1, times: 3 })
      workers.push({ name, child })
    }
    for (let round = 0; round < rounds; round++) {
      for (const { name, child } of shuffled(workers)) longest.get(name).push(await child.ask({ task: 'block' }))
    }
    for (const { child } of workers) child.stop()
  }
  const base = median(longest.get('prom-client'))
  return names.map((name) => [name, cell(summary(longest.get(name)), 1), number(median(longest.get(name)) / base, 3)])
}
