import { startChild } from '../child.js'
import { openLoad } from '../load.js'
import { geometricMean, median, shuffled, summary } from '../stats.js'
import { cell } from '../table.js'

export const title = 'Server CPU per request, over real HTTP'
export const method = `CPU time (user and system, whole process) of a server process per request answered, ÷ that of bare Fastify. The load
comes from another process: 16 keep-alive connections that each wait for their answer. Slices of 2,500 requests, all
servers in turn in a random order, over several generations of processes; each slice is set against the (geometric) mean of
its round, since the machine's speed changes by the second. Plain: GET with a parameter. Hooks: the same with four hooks of
others before and four after. Logger: the same with Fastify's logger on. POST: a JSON body with a schema.`
export const columns = ['plain (target ≤ 1.05)', 'hooks of others', 'logger on', 'POST JSON']
export const uses = 'addTo'

const body = JSON.stringify({ name: 'a task with a name', tags: ['one', 'two', 'three'], note: 'x'.repeat(60) })
const get = 'GET /users/42 HTTP/1.1\r\nHost: bench\r\n\r\n'
const post = `POST /users HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
const requestOf = { plain: get, hooks: get, logger: get, post }

const warmUpRequests = 12_000
const sliceRequests = 2_500

export async function measure (names, { generations, rounds, scenarios = Object.keys(requestOf), log }) {
  const columnOf = {}
  for (const [scenario, request] of Object.entries(requestOf)) {
    if (!scenarios.includes(scenario)) continue
    columnOf[scenario] = await measureScenario(names, { scenario, request, generations, rounds })
    log(`  ${scenario} done`)
  }
  return names.map((name) => [name, ...Object.keys(requestOf).map((scenario) => columnOf[scenario]?.get(name) ?? '–')])
}

async function measureScenario (names, { scenario, request, generations, rounds }) {
  const costs = new Map(names.map((name) => [name, []]))
  for (let generation = 0; generation < generations; generation++) {
    for (const [name, cost] of await measureGeneration(names, { scenario, request, rounds })) costs.get(name).push(cost)
  }
  const base = median(['bare', 'bare-again'].flatMap((name) => costs.get(name) ?? []))
  return new Map(names.map((name) => [name, cell(summary(costs.get(name).map((cost) => cost / base)), 3)]))
}

/** Each server's cost relative to the mean of its round: the machine's mood cancels out, and one odd process weighs little. */
async function measureGeneration (names, { scenario, request, rounds }) {
  const servers = []
  try {
    for (const name of shuffled(names)) {
      const child = await startChild('./server.js', [name, scenario])
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
