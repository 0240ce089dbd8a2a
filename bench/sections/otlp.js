import { startChild } from '../child.js'
import { median, shuffled, summary } from '../stats.js'
import { cell, number } from '../table.js'

const pushes = [
  { points: 1_000, temporality: 'cumulative' },
  { points: 10_000, temporality: 'cumulative' },
  { points: 10_000, temporality: 'delta' }
]

export const title = 'A push by OTLP'
export const method = `Histograms of 12 bounds, all touched since the last push, as cumulative counts or as deltas, collected, encoded (protobuf) and sent to a receiver that answers at once: CPU
time of the process for one push (1,000 points: the mean of ten), ÷ that of OpenTelemetry's SDK and exporter with the same data. The longest block, of another push, is the longest time between two turns of the event
loop, the lesser of the clock and of CPU time (that of V8's own threads included). All in turn in a random order.`
export const columns = pushes.flatMap((push) => [`${describe(push)}, ÷ OTel SDK`, 'ms', `longest block, ms${push.points === 10_000 ? ' (target ≤ 5)' : ''}`])
export const uses = 'addTo'

const peers = { otel: 'OTel SDK + exporter-metrics-otlp-proto', vitals: 'vitals' }
const names = Object.keys(peers)

export async function measure (_names, { generations, rounds, log }) {
  const rows = new Map(names.map((name) => [name, [peers[name]]]))
  const receiver = await startChild('./receiver.js', ['healthy'])
  try {
    for (const push of pushes) {
      const taken = await measurePushes(push, receiver.ready, { generations: Math.ceil(generations / 3), rounds })
      for (const name of names) {
        const { ratios, cpuMs, blockMs } = taken.get(name)
        rows.get(name).push(cell(summary(ratios), 2), number(median(cpuMs), 1), cell(summary(blockMs), 1))
      }
      log(`  ${describe(push)} done`)
    }
  } finally {
    receiver.stop()
  }
  return [...rows.values()]
}

function describe ({ points, temporality }) {
  return `${points} points${temporality === 'delta' ? ' as deltas' : ''}`
}

async function measurePushes ({ points, temporality }, url, { generations, rounds }) {
  const taken = new Map(names.map((name) => [name, { ratios: [], cpuMs: [], blockMs: [] }]))
  for (let generation = 0; generation < generations; generation++) {
    const workers = []
    try {
      for (const name of names) workers.push({ name, child: await startChild('./otlp-worker.js', [name, String(points), temporality, url]) })
      for (let warmUp = 0; warmUp < 20; warmUp++) for (const { child } of workers) await child.ask({})
      for (let round = 0; round < rounds; round++) {
        for (const worker of shuffled(workers)) worker.last = await worker.child.ask({})
        const base = workers.find(({ name }) => name === 'otel').last.cpuMs
        for (const { name, last } of workers) {
          const { ratios, cpuMs, blockMs } = taken.get(name)
          ratios.push(last.cpuMs / base)
          cpuMs.push(last.cpuMs)
          blockMs.push(last.blockMs)
        }
      }
    } finally {
      for (const { child } of workers) child.stop()
    }
  }
  return taken
}
