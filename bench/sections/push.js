import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { startChild } from '../child.js'
import { holdCores, onSecondCore } from '../cores.js'
import { openLoad } from '../load.js'
import { geometricMean, quantile, shuffled, summary } from '../stats.js'
import { cell } from '../table.js'

export const title = 'Requests while metrics are pushed'
export const method = `The same service pushing 1,000 histograms to a receiver that takes them, that is down, that never answers, that answers 503, as often as by
default (every ten seconds, in slices of ten seconds) and ten times as often (every second, in slices of three); ÷ the service that pushes nothing, which stands
twice in the comparison. An attempt may take as long as the next is away. 16 keep-alive connections, one service at a time and only that one pushing, in turn in a
random order; each slice is set against the (geometric) mean of the two that push nothing in its round. The services have one core, whoever asks and who receives
the other.`
export const columns = ['median latency', '99th percentile', 'requests a second']
export const uses = 'addTo'

const still = ['no push', 'no push again']
const receivers = { 'no push': undefined, 'no push again': undefined, healthy: 'healthy', down: 'down', 'never answers': 'silent', 'answers 503': 'busy' }
const rates = [
  { often: 'as by default', intervalMs: 10_000, sliceMs: 10_000, share: 4 },
  { often: 'every second', intervalMs: 1_000, sliceMs: 3_000, share: 2 }
]
const request = 'GET /users/42 HTTP/1.1\r\nHost: bench\r\n\r\n'
const warmUpRequests = 10_000

export async function measure (_names, { generations, rounds, log }) {
  const letGo = holdCores()
  try {
    const rows = []
    for (const rate of rates) {
      const ratios = new Map(Object.keys(receivers).map((name) => [name, { p50: [], p99: [], rate: [] }]))
      const needed = Math.ceil(generations / 2)
      for (let generation = 0; generation < needed; generation++) {
        await measureGeneration(rate, Math.ceil(rounds / rate.share), ratios)
        log(`  ${rate.often}: generation ${generation + 1} of ${needed} done`)
      }
      for (const [name, { p50, p99, rate: perSecond }] of [...ratios].slice(1)) {
        rows.push([`${name}, ${rate.often}`, cell(summary(p50), 3), cell(summary(p99), 3), cell(summary(perSecond), 3)])
      }
    }
    return rows
  } finally {
    letGo()
  }
}

async function measureGeneration (rate, rounds, ratios) {
  const children = []
  const services = []
  try {
    for (const [name, how] of Object.entries(receivers)) {
      const receiver = how === undefined ? undefined : await startChild('./receiver.js', [how])
      if (receiver !== undefined) children.push(receiver)
      const child = await startChild('./push-server.js', [String(rate.intervalMs), ...receiver === undefined ? [] : [receiver.ready]], onSecondCore)
      children.push(child)
      services.push({ name, child, isPushing: receiver !== undefined, load: await openLoad({ port: child.ready, connections: 16, request }) })
    }
    for (const { load } of services) await load.run(warmUpRequests)
    for (let round = 0; round < rounds; round++) {
      for (const service of shuffled(services)) service.last = await measureSlice(service, rate.sliceMs)
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

async function measureSlice ({ child, load, isPushing }, sliceMs) {
  const latencies = []
  await child.ask({ isPushing })
  const started = performance.now()
  const answered = load.run(Infinity, latencies)
  await setTimeout(sliceMs)
  load.stop()
  await answered
  const seconds = (performance.now() - started) / 1_000
  await child.ask({ isPushing: false })
  return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), rate: latencies.length / seconds }
}
