import { startChild } from '../child.js'
import { geometricMean, median, shuffled, summary } from '../stats.js'
import { cell } from '../table.js'

export const title = 'A request to another service'
export const method = `CPU time (user and system, whole process) of a process that asks a server in another process for a few bytes, eight requests
at a time over keep-alive connections, ÷ the same without instrumentation. After 20,000 requests, slices of 1,000, all processes in turn in a random
order, over several generations of processes. OpenTelemetry: its SDK for metrics with @opentelemetry/instrumentation-undici and -http, no spans.`
export const columns = ['fetch (target ≤ 1.02)', 'undici.request (target ≤ 1.02)', 'http.get (target ≤ 1.02)']
export const uses = 'addTo'

const variants = ['bare', 'bare-again', 'otel', 'vitals']
const clients = ['fetch', 'undici', 'http']
/** So many that a process no longer spends its time on compiling. */
const warmUpRequests = 20_000
const sliceRequests = 1_000

export async function measure (_names, { generations, rounds, log }) {
  const costs = new Map(clients.flatMap((client) => variants.map((variant) => [`${variant} ${client}`, []])))
  const server = await startChild('./outbound-server.js', [])
  try {
    for (let generation = 0; generation < generations; generation++) {
      for (const client of clients) {
        for (const [variant, cost] of await measureGeneration(client, server.ready, rounds)) costs.get(`${variant} ${client}`).push(cost)
      }
      log(`  generation ${generation + 1} of ${generations} done`)
    }
  } finally {
    server.stop()
  }
  const over = (variant, client) => cell(summary(costs.get(`${variant} ${client}`).map((cost, i) => cost / costs.get(`bare ${client}`)[i])), 3)
  return variants.slice(1).map((variant) => [variant, ...clients.map((client) => over(variant, client))])
}

async function measureGeneration (client, port, rounds) {
  const running = []
  try {
    for (const variant of shuffled(variants)) running.push({ variant, child: await startChild('./outbound-client.js', [variant, client, String(port)]), cost: [] })
    for (const { child } of running) await child.ask({ requests: warmUpRequests })
    for (let round = 0; round < rounds; round++) {
      for (const { child, cost } of shuffled(running)) cost.push(await child.ask({ requests: sliceRequests }))
    }
  } finally {
    for (const { child } of running) child.stop()
  }
  const reference = Array.from({ length: rounds }, (_, round) => geometricMean(running.map(({ cost }) => cost[round])))
  return running.map(({ variant, cost }) => [variant, median(cost.map((value, round) => value / reference[round]))])
}
