import { performance } from 'node:perf_hooks'
import { startChild } from '../child.js'
import { openLoad } from '../load.js'
import { geometricMean, quantile, shuffled, summary } from '../stats.js'
import { cell } from '../table.js'

export const title = 'Requests while metrics are pushed'
export const method = `The same service pushing 1,000 histograms ten times a second (a hundred times as often as by default) to a receiver that takes them, that
is down, that never answers, that answers 503; ÷ the service that pushes nothing, which stands twice in the comparison. 16 keep-alive connections, slices
of 4,000 requests, one service at a time and only that one pushing, in turn in a random order; each slice is set against the (geometric) mean of the two that
push nothing in its round.`
export const columns = ['median latency', '99th percentile', 'requests a second']
export const uses = 'addTo'

const variants = { 'no push': undefined, 'no push again': undefined, healthy: 'healthy', down: 'down', 'never answers': 'silent', 'answers 503': 'busy' }
const still = ['no push', 'no push again']
const request = 'GET /users/42 HTTP/1.1\r\nHost: bench\r\n\r\n'
const warmUpRequests = 10_000
const sliceRequests = 4_000

export async function measure (_names, { generations, rounds, log }) {
  const ratios = new Map(Object.keys(variants).map((name) => [name, { p50: [], p99: [], rate: [] }]))
  for (let generation = 0; generation < Math.ceil(generations / 2); generation++) {
    await measureGeneration(rounds, ratios)
    log(`  generation ${generation + 1} of ${Math.ceil(generations / 2)} done`)
  }
  return Object.keys(variants).slice(1).map((name) => {
    const { p50, p99, rate } = ratios.get(name)
    return [name, cell(summary(p50), 3), cell(summary(p99), 3), cell(summary(rate), 3)]
  })
}

async function measureGeneration (rounds, ratios) {
  const children = []
  const services = []
  try {
    for (const [name, how] of Object.entries(variants)) {
      const receiver = how === undefined ? undefined : await startChild('./receiver.js', [how])
      if (receiver !== undefined) children.push(receiver)
      const child = await startChild('./push-server.js', receiver === undefined ? [] : [receiver.ready])
      children.push(child)
      services.push({ name, child, load: await openLoad({ port: child.ready, connections: 16, request }) })
    }
    for (const { load } of services) await load.run(warmUpRequests)
    for (let round = 0; round < rounds; round++) {
      for (const service of shuffled(services)) service.last = await measureSlice(service)
      for (const what of ['p50', 'p99', 'rate']) {
        const base = geometricMean(services.filter(({ name }) => still.includes(name)).map(({ last }) => last[what]))
        for (const { name, last } of services) ratios.get(name)[what].push(last[what] / base)
      }
    }
  } finally {
    for (const { load } of services) load.close()
    for (const child of children) child.stop()
  }
}

async function measureSlice ({ child, load }) {
  await child.ask({ isPushing: true })
  const latencies = []
  const started = performance.now()
  await load.run(sliceRequests, latencies)
  const seconds = (performance.now() - started) / 1_000
  await child.ask({ isPushing: false })
  return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), rate: sliceRequests / seconds }
}
