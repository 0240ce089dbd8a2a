import { openLoad } from './load.js'
import { geometricMean, median, shuffled } from './stats.js'

const warmUpRequests = 12_000
const sliceRequests = 2_500

/**
 * CPU time per request of servers that take turns, in several generations of processes: slices of 2,500 requests over 16
 * keep-alive connections, in a random order in each round. `start(name)` starts the process of one.
 * Gives a `Map` from name to its cost in each generation, relative to the (geometric) mean of each round: the machine's mood
 * cancels out, and one odd process weighs little.
 */
export async function costsPerRequest (names, { start, request, generations, rounds, onGeneration = () => {} }) {
  const costs = new Map(names.map((name) => [name, []]))
  for (let generation = 0; generation < generations; generation++) {
    for (const [name, cost] of await measureGeneration(names, { start, request, rounds })) costs.get(name).push(cost)
    onGeneration(generation + 1)
  }
  return costs
}

async function measureGeneration (names, { start, request, rounds }) {
  const servers = []
  try {
    for (const name of shuffled(names)) {
      const child = await start(name)
      servers.push({ name, child, load: await openLoad({ port: child.ready, connections: 16, request }), cost: [] })
    }
    for (const { load } of servers) await load.run(warmUpRequests)
    for (let round = 0; round < rounds; round++) {
      for (const { child, load, cost } of shuffled(servers)) {
        const before = await child.ask({})
        await load.run(sliceRequests)
        cost.push(await child.ask({}) - before)
      }
    }
  } finally {
    for (const { child, load } of servers) {
      load.close()
      child.stop()
    }
  }
  const reference = Array.from({ length: rounds }, (_, round) => geometricMean(servers.map(({ cost }) => cost[round])))
  return servers.map(({ name, cost }) => [name, median(cost.map((value, round) => value / reference[round]))])
}
