import { startChild } from '../child.js'
import { holdCores, onSecondCore } from '../cores.js'
import { BARE, measureGeneration, measures, method as operations } from '../operations.js'
import { summary } from '../stats.js'
import { cell } from '../table.js'

export const title = 'A request to another service'
export const method = `A process that asks a server in another process for a few bytes over keep-alive connections, ÷ two without instrumentation. OpenTelemetry: its SDK
for metrics with @opentelemetry/instrumentation-undici and -http, no spans. The floor is the least that can see each request, its status and its end: the same
hooks, two looks at the clock, one histogram. ${operations}`
export const uses = 'addTo'

const clients = { fetch: 'fetch', undici: 'undici.request', http: 'http.get' }
const kinds = Object.keys(measures)
export const columns = Object.values(clients).flatMap((client) => kinds.map((kind) => `${client}, ${measures[kind].title}`))

const slices = { alone: 200, together: 1_000 }

export async function measure (_names, { generations, rounds, log }) {
  const results = Object.fromEntries(Object.keys(clients).map((client) => [client, []]))
  const letGo = holdCores()
  const server = await startChild('./outbound-server.js', [])
  try {
    for (let generation = 0; generation < generations; generation++) {
      for (const client of Object.keys(clients)) {
        const start = (name) => startChild('./outbound-client.js', [name, client, String(server.ready)], onSecondCore)
        results[client].push(await measureGeneration([...BARE, 'floor', 'otel', 'vitals'], { start, slices, rounds }))
      }
      log(`  generation ${generation + 1} of ${generations} done`)
    }
  } finally {
    server.stop()
    letGo()
  }
  const over = (name, client, kind) => cell(summary(results[client].map((generation) => generation[kind][name].ratio)), 3)
  return ['bare-again', 'floor', 'otel', 'vitals'].map((name) => [name, ...Object.keys(clients).flatMap((client) => kinds.map((kind) => over(name, client, kind)))])
}
