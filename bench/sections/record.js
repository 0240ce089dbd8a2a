import { startChild } from '../child.js'
import { median, shuffled, summary } from '../stats.js'
import { cell, number } from '../table.js'

export const title = 'Recording one request, without HTTP'
export const method = `One request's five instruments (requests, duration, request and response size, in progress), over 8 routes and
2 statuses, given ready-made values. CPU time of the whole process (collector threads included) in slices of about 20 ms,
all peers in turn in a random order. Bytes: growth of heapUsed over 10,000 requests with no collection in between.`
export const columns = ['÷ prom-client (target ≤ 0.03)', 'ns', 'bytes allocated (target ≤ 16)']
export const uses = 'createRecorder'

const sliceMicros = 20_000

export async function measure (names, { generations, rounds }) {
  const costs = new Map(names.map((name) => [name, []]))
  const ratios = new Map(names.map((name) => [name, []]))
  const bytes = new Map(names.map((name) => [name, []]))
  for (let generation = 0; generation < generations; generation++) {
    const workers = await Promise.all(names.map(async (name) => {
      return { name, child: await startChild('./worker.js', [name]), count: 0, cost: [] }
    }))
    for (const worker of workers) {
      await worker.child.ask({ task: 'record', count: 50_000 })
      worker.count = Math.ceil(sliceMicros / await worker.child.ask({ task: 'record', count: 50_000 }))
      await worker.child.ask({ task: 'record', count: worker.count })
    }
    for (let round = 0; round < rounds; round++) {
      for (const { child, count, cost } of shuffled(workers)) cost.push(await child.ask({ task: 'record', count }))
    }
    const base = workers.find(({ name }) => name === 'prom-client')
    for (const { name, child, cost } of workers) {
      ratios.get(name).push(median(cost.map((value, i) => value / base.cost[i])))
      costs.get(name).push(median(cost) * 1000)
      child.stop()
      bytes.get(name).push(await allocatedBytes(name))
    }
  }
  return names.map((name) => [name, cell(summary(ratios.get(name)), 3), number(median(costs.get(name)), 0), number(median(bytes.get(name)), 0)])
}

async function allocatedBytes (name) {
  const child = await startChild('./worker.js', [name], { execArgv: ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256'] })
  await child.ask({ task: 'record', count: 50_000 })
  const bytes = await child.ask({ task: 'allocation', count: 10_000 })
  child.stop()
  return bytes
}
