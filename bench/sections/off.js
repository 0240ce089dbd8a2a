import { startChild } from '../child.js'
import { openLoad } from '../load.js'
import { geometricMean, median, shuffled, summary } from '../stats.js'
import { cell } from '../table.js'

export const title = 'What costs nothing'
export const method = `CPU time (user and system, whole process) per request, ÷ bare Fastify in the same round: with \`enabled: false\`, with neither endpoint nor exporter (which
records still, for \`render()\`, \`read()\` and \`promRegistry\`), and with the endpoint. 16 keep-alive connections, slices of 2,500 requests in turn in a random
order. CPU at the start: from the first line of the process to listening, ÷ bare Fastify.`
export const columns = ['CPU of a request', 'CPU of the start']
export const uses = 'addTo'

const variants = { bare: 'bare', 'bare-again': 'bare Fastify again (the noise)', disabled: 'enabled: false (target ≤ 1.01)', neither: 'neither endpoint nor exporter', vitals: 'endpoint' }
const request = 'GET /users/42 HTTP/1.1\r\nHost: bench\r\n\r\n'
const warmUpRequests = 12_000
const sliceRequests = 2_500

export async function measure (_names, { generations, rounds, log }) {
  const taken = new Map(Object.keys(variants).map((name) => [name, { requests: [], start: [] }]))
  for (let generation = 0; generation < generations; generation++) {
    await measureGeneration(rounds, taken)
    log(`  generation ${generation + 1} of ${generations} done`)
  }
  const base = taken.get('bare')
  return Object.entries(variants).slice(1).map(([name, words]) => {
    const { requests, start } = taken.get(name)
    const over = (values, of) => cell(summary(values.map((value, i) => value / of[i])), 3)
    return [words, over(requests, base.requests), over(start, base.start)]
  })
}

async function measureGeneration (rounds, taken) {
  const servers = []
  try {
    for (const name of shuffled(Object.keys(variants))) {
      const child = await startChild('./off-server.js', [name])
      taken.get(name).start.push(await child.ask({}))
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
  for (const { name, cost } of servers) taken.get(name).requests.push(median(cost.map((value, round) => value / reference[round])))
}
