import { startChild } from '../child.js'
import { costsPerRequest } from '../interleaved.js'
import { median, summary } from '../stats.js'
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
  const costs = await costsPerRequest(names, { start: (name) => startChild('./server.js', [name, scenario]), request, generations, rounds })
  const base = median(['bare', 'bare-again'].flatMap((name) => costs.get(name) ?? []))
  return new Map(names.map((name) => [name, cell(summary(costs.get(name).map((cost) => cost / base)), 3)]))
}
