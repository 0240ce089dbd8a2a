import { startMariadb } from '../../test/clients/databases/support/mariadb-server.ts'
import { startPostgres } from '../../test/clients/databases/support/postgres-server.ts'
import { startRedis } from '../../test/support/redis-server.ts'
import { startChild } from '../child.js'
import { geometricMean, median, quantile, shuffled, summary } from '../stats.js'
import { cell, number } from '../table.js'

export const title = 'An operation of an instrumented client'
export const method = `A process that uses a client, ÷ one where nothing is instrumented. Time: by the clock, one operation after the other, as a caller waits for it; the tenth
percentile of a process's slices, since how fast the machine wakes up a process that waits for another varies more than anything that is measured.
CPU: user and system, of the whole process, eight operations at a time, so that what is spent per packet and per turn of the event loop is shared
by many. Redis: GET. PostgreSQL and MariaDB: a row by its key, in a pool of four connections. All servers are real and on the same machine. SQLite: a row by its
key from a database in memory. LRU cache: hits in 1,024 entries, and sets of entries that are there. Slices of operations, all processes in turn in a
random order, over several generations of processes; for CPU, each slice is set against the (geometric) mean of its round. OpenTelemetry: its instrumentation of the client, with its SDK for metrics and without
spans; of these only that of pg records durations. It has none for better-sqlite3 or lru-cache.`
export const uses = 'addTo'

/** Operations in a slice, by client. Those that do not wait are not measured one at a time. */
const clients = {
  pg: { alone: 200, together: 2_000, isNetworked: true },
  mysql2: { alone: 200, together: 2_000, isNetworked: true },
  ioredis: { alone: 300, together: 4_000, isNetworked: true },
  redis: { alone: 300, together: 4_000, isNetworked: true },
  'better-sqlite3 get': { together: 100_000 },
  'lru-cache get': { together: 300_000 },
  'lru-cache set': { together: 200_000 }
}
const measures = {
  alone: { title: 'time (target ≤ 1.02)', concurrency: 1, slicesPerRound: 5, of: ({ ms }) => ms },
  together: { title: 'CPU', concurrency: 8, slicesPerRound: 1, of: ({ cpuMs }) => cpuMs }
}
const variants = { 'bare-again': 'bare again (the noise)', otel: 'OpenTelemetry', vitals: 'fastify-vitals' }
export const columns = ['µs, bare', ...Object.values(variants), 'µs, fastify-vitals']

const warmUpSlices = 12

export async function measure (_names, { generations, rounds, log }) {
  const results = new Map()
  const endings = []
  const keeper = { teardown: (end) => endings.unshift(end) }
  try {
    const ports = { redis: (await startRedis(keeper)).port, postgres: (await startPostgres(keeper)).port, mariadb: (await startMariadb(keeper)).port }
    for (let generation = 0; generation < generations; generation++) {
      for (const [client, slices] of Object.entries(clients)) {
        const names = ['bare', ...Object.keys(variants)].filter((variant) => variant !== 'otel' || slices.isNetworked)
        for (const { key, ...took } of await measureGeneration(client, names, slices, ports, rounds)) results.set(`${client} ${key}`, [...results.get(`${client} ${key}`) ?? [], took])
      }
      log(`  generation ${generation + 1} of ${generations} done`)
    }
  } finally {
    for (const end of endings) await end()
  }
  return Object.entries(clients).flatMap(([client, slices]) => measuresOf(slices).map((measure) => {
    const [bare, ...others] = ['bare', ...Object.keys(variants)].map((variant) => results.get(`${client} ${measure} ${variant}`))
    const over = (own) => own === undefined ? '' : cell(summary(own.map(({ ratio }, i) => ratio / bare[i].ratio)), 3)
    const took = (own) => number(median(own.map(({ us }) => us)), 3)
    return [`${client}, ${measures[measure].title}`, took(bare), ...others.map(over), took(others.at(-1))]
  }))
}

const measuresOf = (slices) => Object.keys(measures).filter((measure) => slices[measure] !== undefined)

/** Each variant by each measure: its share of its rounds, and µs of an operation. */
async function measureGeneration (client, names, slices, ports, rounds) {
  const kinds = measuresOf(slices)
  const running = []
  try {
    for (const variant of shuffled(names)) running.push({ variant, child: await startChild('./client-worker.js', [variant, client, JSON.stringify(ports)]), alone: [], together: [] })
    for (const { child } of running) for (let i = 0; i < warmUpSlices; i++) await child.ask({ operations: slices.together, concurrency: measures.together.concurrency })
    for (let round = 0; round < rounds; round++) {
      for (const measure of kinds) {
        const { concurrency, slicesPerRound, of } = measures[measure]
        for (let i = 0; i < slicesPerRound; i++) {
          for (const one of shuffled(running)) one[measure].push(of(await one.child.ask({ operations: slices[measure], concurrency })))
        }
      }
    }
  } finally {
    for (const { child } of running) child.stop()
  }
  const usOf = (ms, measure) => ms * 1_000 / slices[measure]
  const summed = {
    alone: ({ alone }) => { const us = usOf(quantile(alone, 0.1), 'alone'); return { ratio: us, us } },
    together: ({ together }) => ({ ratio: median(together.map((value, i) => value / geometricMean(running.map((one) => one.together[i])))), us: usOf(median(together), 'together') })
  }
  return kinds.flatMap((measure) => running.map((one) => ({ key: `${measure} ${one.variant}`, ...summed[measure](one) })))
}
