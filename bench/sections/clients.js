import { startMariadb } from '../../test/clients/databases/support/mariadb-server.ts'
import { startPostgres } from '../../test/clients/databases/support/postgres-server.ts'
import { startRedis } from '../../test/support/redis-server.ts'
import { startChild } from '../child.js'
import { geometricMean, median, shuffled, summary } from '../stats.js'
import { cell, number } from '../table.js'

export const title = 'An operation of an instrumented client'
export const method = `CPU time (user and system, whole process) of a process that uses a client, eight operations at a time, ÷ the same where the client
is not instrumented; beside it one operation by the clock. Redis: GET. PostgreSQL and MariaDB: a row by its key, in a pool of four connections. All servers are real
and on the same machine. SQLite: a row by its key from a database in memory. LRU cache: hits in 1,024 entries, and sets of entries that are there. Slices of operations, all
processes in turn in a random order, over several generations of processes. OpenTelemetry has no instrumentation for better-sqlite3 or lru-cache.`
export const uses = 'addTo'

/** Operations in a slice, by client. */
const clients = {
  pg: 2_000,
  mysql2: 2_000,
  ioredis: 4_000,
  redis: 4_000,
  'better-sqlite3 get': 100_000,
  'lru-cache get': 300_000,
  'lru-cache set': 200_000
}
export const columns = ['bare again (the noise)', 'fastify-vitals (over a network ≤ 1.02)', 'bare, µs', 'fastify-vitals, µs']

const variants = ['bare', 'bare-again', 'vitals']
const warmUpSlices = 12

export async function measure (_names, { generations, rounds, log }) {
  const results = new Map()
  const endings = []
  const keeper = { teardown: (end) => endings.unshift(end) }
  try {
    const ports = { redis: (await startRedis(keeper)).port, postgres: (await startPostgres(keeper)).port, mariadb: (await startMariadb(keeper)).port }
    for (let generation = 0; generation < generations; generation++) {
      for (const [client, slice] of Object.entries(clients)) {
        for (const { variant, ratio, ms } of await measureGeneration(client, slice, ports, rounds)) {
          const key = `${variant} ${client}`
          results.set(key, [...results.get(key) ?? [], { ratio, us: ms * 1_000 / slice }])
        }
      }
      log(`  generation ${generation + 1} of ${generations} done`)
    }
  } finally {
    for (const end of endings) await end()
  }
  return Object.keys(clients).map((client) => {
    const [bare, again, vitals] = variants.map((variant) => results.get(`${variant} ${client}`))
    const over = (own) => cell(summary(own.map(({ ratio }, i) => ratio / bare[i].ratio)), 3)
    const took = (own) => number(median(own.map(({ us }) => us)), 3)
    return [client, over(again), over(vitals), took(bare), took(vitals)]
  })
}

async function measureGeneration (client, slice, ports, rounds) {
  const running = []
  try {
    for (const variant of shuffled(variants)) running.push({ variant, child: await startChild('./client-worker.js', [variant, client, JSON.stringify(ports)]), cpu: [], ms: [] })
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
