import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { startChild } from '../child.js'
import { holdCores, onSecondCore } from '../cores.js'
import { openLoad } from '../load.js'
import { quantile, shuffled, summary } from '../stats.js'
import { cell } from '../table.js'

export const title = 'Requests while metrics are pushed'
export const method = `A service with 1,000 histograms while it pushes them to a receiver that takes them, that is down, that never answers, that answers 503; ÷ itself
while it does not: slices with one push and slices with none, two by two in a random order. As often as by default (slices of ten seconds, in which an exporter tries
again as often as it may) and ten times as often (slices of a second, which leave no time to try again). 16 keep-alive connections; the service has one core, whoever
asks and who receives the other. No push: nothing is pushed in either slice, which is the noise.`
export const columns = ['median latency', '99th percentile', 'requests a second']
export const uses = 'addTo'

const receivers = { 'no push': undefined, healthy: 'healthy', down: 'down', 'never answers': 'silent', 'answers 503': 'busy' }
const rates = [
  { often: 'as by default', sliceMs: 10_000, share: 1 / 6, warmUpPushes: 2 },
  { often: 'every second', sliceMs: 1_000, share: 1, warmUpPushes: 10 }
]
const request = 'GET /users/42 HTTP/1.1\r\nHost: bench\r\n\r\n'
const warmUpRequests = 40_000

export async function measure (_names, { generations, rounds, log }) {
  const letGo = holdCores()
  try {
    const rows = []
    for (const { often, share, ...rate } of rates) {
      const ratios = new Map(Object.keys(receivers).map((name) => [name, { p50: [], p99: [], rate: [] }]))
      const needed = Math.ceil(generations / 2)
      for (let generation = 0; generation < needed; generation++) {
        for (const [name, how] of shuffled(Object.entries(receivers))) await measureService(how, rate, Math.ceil(rounds * share), ratios.get(name))
        log(`  ${often}: generation ${generation + 1} of ${needed} done`)
      }
      for (const [name, { p50, p99, rate }] of ratios) rows.push([`${name}, ${often}`, cell(summary(p50), 3), cell(summary(p99), 3), cell(summary(rate), 3)])
    }
    return rows
  } finally {
    letGo()
  }
}

/** One process, and as many pairs of slices. */
async function measureService (how, { sliceMs, warmUpPushes }, pairs, ratios) {
  const ends = []
  try {
    const receiver = how === undefined ? undefined : await startChild('./receiver.js', [how])
    if (receiver !== undefined) ends.push(() => receiver.stop())
    const child = await startChild('./push-server.js', [String(sliceMs), ...receiver === undefined ? [] : [receiver.ready]], onSecondCore)
    ends.push(() => child.stop())
    const load = await openLoad({ port: child.ready, connections: 16, request })
    ends.push(() => load.close())
    await load.run(warmUpRequests)
    if (receiver !== undefined) await child.ask({ warmUpPushes })
    for (let pair = 0; pair < pairs; pair++) {
      const measured = {}
      for (const which of shuffled(['pushing', 'still'])) {
        if (which === 'pushing' && receiver !== undefined) await child.ask({ pushAfterMs: sliceMs / 20 })
        measured[which] = await measureSlice(load, sliceMs)
        await child.ask({})
      }
      for (const what of Object.keys(ratios)) ratios[what].push(measured.pushing[what] / measured.still[what])
    }
  } finally {
    for (const end of ends.reverse()) end()
  }
}

async function measureSlice (load, sliceMs) {
  const latencies = []
  const started = performance.now()
  const answered = load.run(Infinity, latencies)
  await setTimeout(sliceMs)
  load.stop()
  await answered
  const seconds = (performance.now() - started) / 1_000
  return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), rate: latencies.length / seconds }
}
