import { startChild } from '../child.js'
import { costsPerRequest } from '../interleaved.js'
import { summary } from '../stats.js'
import { cell } from '../table.js'

export const title = 'What costs nothing'
export const method = `CPU time (user and system, whole process) per request, ÷ bare Fastify in the same round: with \`enabled: false\`, with neither endpoint nor exporter
(nothing would show what is recorded, so nothing is), and with the endpoint. 16 keep-alive connections, slices of 2,500 requests in turn in a random
order. CPU at the start: from the first line of the process to listening, ÷ bare Fastify.`
export const columns = ['CPU of a request', 'CPU of the start']
export const uses = 'addTo'

const variants = {
  bare: 'bare Fastify',
  'bare-again': 'bare Fastify again (the noise)',
  disabled: 'enabled: false (target ≤ 1.01)',
  neither: 'neither endpoint nor exporter (target ≤ 1.01)',
  vitals: 'endpoint'
}
const request = 'GET /users/42 HTTP/1.1\r\nHost: bench\r\n\r\n'

export async function measure (_names, { generations, rounds, log }) {
  const names = Object.keys(variants)
  const starts = new Map(names.map((name) => [name, []]))
  const requests = await costsPerRequest(names, {
    start: async (name) => {
      const child = await startChild('./off-server.js', [name])
      starts.get(name).push(await child.ask({}))
      return child
    },
    request,
    generations,
    rounds,
    onGeneration: (count) => log(`  generation ${count} of ${generations} done`)
  })
  const over = (costs, name) => cell(summary(costs.get(name).map((cost, i) => cost / costs.get('bare')[i])), 3)
  return names.slice(1).map((name) => [variants[name], over(requests, name), over(starts, name)])
}
