import { startChild } from '../child.js'
import { openLoad } from '../load.js'
import { geometricMean, median, shuffled, summary } from '../stats.js'
import { cell } from '../table.js'

export const title = 'A rate-limited route'
export const method = `CPU time (user and system, whole process) per request to a route that @fastify/rate-limit limits with its store in memory,
none refused: ÷ the same service without fastify-vitals, and ÷ with fastify-vitals that leaves the limiter alone (\`limiter: false\`),
which is what watching the limiter costs. 16 keep-alive connections, slices of 2,500 requests in turn in a random order.`
export const columns = ['÷ without fastify-vitals', '÷ with limiter: false (target ≤ 1.03)']
export const uses = 'addTo'

const variants = ['bare', 'bare-again', 'without-limiter', 'vitals']
const request = 'GET /users/42 HTTP/1.1\r\nHost: bench\r\n\r\n'
const warmUpRequests = 12_000
const sliceRequests = 2_500

export async function measure (_names, { generations, rounds, log }) {
  const costs = new Map(variants.map((name) => [name, []]))
  for (let generation = 0; generation < generations; generation++) {
    for (const [name, cost] of await measureGeneration(rounds)) costs.get(name).push(cost)
    log(`  generation ${generation + 1} of ${generations} done`)
  }
  const over = (name, base) => cell(summary(costs.get(name).map((cost, i) => cost / costs.get(base)[i])), 3)
  return [
    ['bare-again', over('bare-again', 'bare'), '–'],
    ['vitals', over('vitals', 'bare'), over('vitals', 'without-limiter')]
  ]
}

async function measureGeneration (rounds) {
  const servers = []
  try {
    for (const name of shuffled(variants)) {
      const child = await startChild('./limiter-server.js', [name])
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
