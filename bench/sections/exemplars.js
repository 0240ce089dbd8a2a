import { startChild } from '../child.js'
import { median, shuffled, summary } from '../stats.js'
import { cell } from '../table.js'

/** Operations in a slice. Requests take longer than the 100 ms for which they do not ask. */
const operations = { counter: 2_000_000, histogram: 1_000_000, request: 8_000 }

export const title = 'Exemplars where there are none'
export const method = `CPU time (user and system, whole process) with \`exemplars: true\`, ÷ without, in the same surroundings: where nothing in the process can be traced (no
OpenTelemetry SDK), and within a span that is not sampled. A bound counter, a bound histogram, and a whole request by \`app.inject()\`. Slices in turn in a random order, over
generations of processes.`
export const columns = Object.keys(operations)
export const uses = 'addTo'

/** What is measured, by name: the process, and the one that it is divided by. */
const rows = {
  'without, again (the noise)': ['off again', 'off'],
  'nothing traced (target 1.00)': ['on untraced', 'off'],
  'no span sampled': ['on unsampled', 'off unsampled']
}
const processes = { off: ['off', 'untraced'], 'off again': ['off', 'untraced'], 'on untraced': ['on', 'untraced'], 'off unsampled': ['off', 'unsampled'], 'on unsampled': ['on', 'unsampled'] }

export async function measure (_names, { generations, rounds }) {
  const ratios = Object.fromEntries(Object.keys(rows).map((row) => [row, Object.fromEntries(columns.map((operation) => [operation, []]))]))
  for (let generation = 0; generation < generations; generation++) {
    const running = []
    try {
      for (const name of shuffled(Object.keys(processes))) running.push({ name, child: await startChild('./exemplars-worker.js', processes[name]) })
      for (const [operation, count] of Object.entries(operations)) {
        const costs = Object.fromEntries(running.map(({ name }) => [name, []]))
        for (let round = -2; round < rounds; round++) {
          for (const { name, child } of shuffled(running)) {
            const cost = await child.ask({ operation, count })
            if (round >= 0) costs[name].push(cost)
          }
        }
        for (const [row, [one, other]] of Object.entries(rows)) ratios[row][operation].push(median(costs[one].map((cost, i) => cost / costs[other][i])))
      }
    } finally {
      for (const { child } of running) child.stop()
    }
  }
  return Object.keys(rows).map((row) => [row, ...columns.map((operation) => cell(summary(ratios[row][operation]), 2))])
}
