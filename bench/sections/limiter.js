import { startChild } from '../child.js'
import { costsPerRequest } from '../interleaved.js'
import { summary } from '../stats.js'
import { cell } from '../table.js'

export const title = 'A rate-limited route'
export const method = `CPU time (user and system, whole process) per request to a route that @fastify/rate-limit limits with its store in memory,
none refused: ÷ the same service without fastify-vitals, and ÷ with fastify-vitals that leaves the limiter alone (\`limiter: false\`),
which is what watching the limiter costs. 16 keep-alive connections, slices of 2,500 requests in turn in a random order.`
export const columns = ['÷ without fastify-vitals', '÷ with limiter: false (target ≤ 1.03)']
export const uses = 'addTo'

const variants = ['bare', 'bare-again', 'without-limiter', 'vitals']
const request = 'GET /users/42 HTTP/1.1\r\nHost: bench\r\n\r\n'

export async function measure (_names, { generations, rounds, log }) {
  const costs = await costsPerRequest(variants, {
    start: (name) => startChild('./limiter-server.js', [name]),
    request,
    generations,
    rounds,
    onGeneration: (count) => log(`  generation ${count} of ${generations} done`)
  })
  const over = (name, base) => cell(summary(costs.get(name).map((cost, i) => cost / costs.get(base)[i])), 3)
  return [
    ['bare-again', over('bare-again', 'bare'), '–'],
    ['vitals', over('vitals', 'bare'), over('vitals', 'without-limiter')]
  ]
}
