import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startChild } from '../child.js'
import { geometricMean, median, shuffled, summary } from '../stats.js'
import { cell, number } from '../table.js'

export const title = 'An operation of an instrumented client'
export const method = `CPU time (user and system, whole process) of a process that uses a client, eight operations at a time, ÷ the same without
instrumentation; then its operations per second by the clock, or for caches in the process the ns of one call. GET on a real Redis on the same machine;
hits of an LRU cache of 1,024 entries, and sets of entries that are there. Slices of operations, all processes in turn in a random order, over several generations of processes.`
export const uses = 'addTo'

/** By client: operations in a slice, what its last column shows. */
const clients = {
  ioredis: { slice: 4_000, show: perSecond, unit: 'ops/s' },
  redis: { slice: 4_000, show: perSecond, unit: 'ops/s' },
  'lru-cache get': { slice: 300_000, show: nanoseconds, unit: 'ns' },
  'lru-cache set': { slice: 200_000, show: nanoseconds, unit: 'ns' }
}
export const columns = Object.entries(clients).flatMap(([client, { unit }]) => [unit === 'ns' ? client : `${client} (target ≤ 1.02)`, unit])

const variants = ['bare', 'bare-again', 'vitals']
const warmUpSlices = 3

export async function measure (_names, { generations, rounds, log }) {
  const results = new Map()
  const redis = await startRedis()
  try {
    for (let generation = 0; generation < generations; generation++) {
      for (const [client, { slice }] of Object.entries(clients)) {
        for (const { variant, ratio, ms } of await measureGeneration(client, slice, redis.port, rounds)) {
          const key = `${variant} ${client}`
          results.set(key, [...results.get(key) ?? [], { ratio, ms }])
        }
      }
      log(`  generation ${generation + 1} of ${generations} done`)
    }
  } finally {
    await redis.stop()
  }
  return variants.map((variant) => [variant, ...Object.entries(clients).flatMap(([client, { slice, show }]) => {
    const [own, bare] = [results.get(`${variant} ${client}`), results.get(`bare ${client}`)]
    return [cell(summary(own.map(({ ratio }, i) => ratio / bare[i].ratio)), 3), show(slice, median(own.map(({ ms }) => ms)))]
  })])
}

async function measureGeneration (client, slice, port, rounds) {
  const running = []
  try {
    for (const variant of shuffled(variants)) running.push({ variant, child: await startChild('./client-worker.js', [variant, client, String(port)]), cpu: [], ms: [] })
    for (const { child } of running) for (let i = 0; i < warmUpSlices; i++) await child.ask({ operations: slice })
    for (let round = 0; round < rounds; round++) {
      for (const { child, cpu, ms } of shuffled(running)) {
        const took = await child.ask({ operations: slice })
        cpu.push(took.cpuMs)
        ms.push(took.ms)
      }
    }
  } finally {
    for (const { child } of running) child.stop()
  }
  const reference = Array.from({ length: rounds }, (_, round) => geometricMean(running.map(({ cpu }) => cpu[round])))
  return running.map(({ variant, cpu, ms }) => ({ variant, ratio: median(cpu.map((value, round) => value / reference[round])), ms: median(ms) }))
}

function perSecond (operations, ms) {
  return number(operations / ms * 1_000, 0)
}

function nanoseconds (operations, ms) {
  return number(ms / operations * 1e6, 0)
}

async function startRedis () {
  const folder = await mkdtemp(join(tmpdir(), 'vitals-bench-'))
  const port = await freePort()
  const server = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const text of server.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) if (text.includes('Ready to accept connections')) break
  server.stdout.resume()
  return {
    port,
    async stop () {
      const gone = once(server, 'exit')
      server.kill()
      await gone
      await rm(folder, { recursive: true, force: true })
    }
  }
}

async function freePort () {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}
