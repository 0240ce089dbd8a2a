import { startChild } from '../child.js'
import { holdCores, onSecondCore } from '../cores.js'
import { openLoad } from '../load.js'
import { geometricMean, median, quantile, shuffled, summary } from '../stats.js'
import { cell } from '../table.js'

export const title = 'A rate-limited route'
export const method = `A request to a route that @fastify/rate-limit limits with its store in memory, none refused: ÷ the same service without fastify-vitals,
and ÷ with fastify-vitals that leaves the limiter alone (\`limiter: false\`), which is what watching the limiter costs; both are there twice, and what is divided by
is the (geometric) mean of the two. The services with fastify-vitals are in one process, since one process differs from the next by more than what watching costs; those without
are in another. Slices of requests go to each in turn in a random order, over many generations of processes. CPU: user and system, over 16 keep-alive connections. Time: by the clock, one request after the
other, the tenth percentile of a generation's slices. The load has the first core, the services the second, and both cores are kept awake.`
export const columns = ['÷ without fastify-vitals, CPU', 'time', '÷ with limiter: false, CPU (target ≤ 1.03)', 'time']
export const uses = 'addTo'

const bare = ['bare', 'bare-again']
const withoutLimiter = ['without-limiter', 'without-limiter-again']
const processes = [bare, [...withoutLimiter, 'vitals']]
const request = 'GET /users/42 HTTP/1.1\r\nHost: bench\r\n\r\n'
const warmUp = { slices: 6, requests: 2_500 }
const slices = { together: 800, alone: 150 }
const slicesPerRound = 5

export async function measure (_names, { generations, rounds, log }) {
  const costs = []
  const letGo = holdCores()
  try {
    for (let generation = 0; generation < generations; generation++) {
      costs.push(await measureGeneration(rounds * slicesPerRound))
      log(`  generation ${generation + 1} of ${generations} done`)
    }
  } finally {
    letGo()
  }
  const over = (name, base, kind) => cell(summary(costs.map((cost) => cost[kind][name] / geometricMean(base.map((one) => cost[kind][one])))), 3)
  const row = (name, base) => ['cpu', 'time'].map((kind) => over(name, base, kind))
  return [
    ['bare-again', ...row('bare-again', bare), '–', '–'],
    ['`limiter: false` again (the noise)', ...row('without-limiter-again', bare), ...row('without-limiter-again', withoutLimiter)],
    ['vitals', ...row('vitals', bare), ...row('vitals', withoutLimiter)]
  ]
}

/** By measure and name: CPU relative to that of the round, time in ms. */
async function measureGeneration (rounds) {
  const children = []
  const services = []
  try {
    for (const names of processes) {
      const child = await startChild('./limiter-server.js', shuffled(names), onSecondCore)
      children.push(child)
      for (const name of names) {
        const open = (connections) => openLoad({ port: child.ready[name], connections, request })
        services.push({ name, child, many: await open(16), one: await open(1), cpu: [], time: [] })
      }
    }
    for (let i = 0; i < warmUp.slices; i++) for (const { many } of shuffled(services)) await many.run(warmUp.requests)
    for (let round = 0; round < rounds; round++) {
      for (const { child, many, one, cpu, time } of shuffled(services)) {
        const before = await child.ask({})
        await many.run(slices.together)
        cpu.push(await child.ask({}) - before)
        const startedMs = performance.now()
        await one.run(slices.alone)
        time.push(performance.now() - startedMs)
      }
    }
  } finally {
    for (const { many, one } of services) {
      many.close()
      one.close()
    }
    for (const child of children) child.stop()
  }
  const mean = Array.from({ length: rounds }, (_, round) => geometricMean(services.map(({ cpu }) => cpu[round])))
  return {
    cpu: Object.fromEntries(services.map(({ name, cpu }) => [name, median(cpu.map((value, round) => value / mean[round]))])),
    time: Object.fromEntries(services.map(({ name, time }) => [name, quantile(time, 0.1)]))
  }
}
