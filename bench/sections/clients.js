import { startChild } from '../child.js'
import { holdCores, onSecondCore } from '../cores.js'
import { BARE, measureGeneration, measures, measuresOf, method as operations } from '../operations.js'
import { median, summary } from '../stats.js'
import { cell, number } from '../table.js'

// The servers are started as the tests start them. A Node that does not strip types is given the loader of the tests.
if (!process.features.typescript) await import('@tapjs/typescript/import')
const { startMariadb } = await import('../../test/clients/databases/support/mariadb-server.ts')
const { startPostgres } = await import('../../test/clients/databases/support/postgres-server.ts')
const { writePrisma } = await import('../../test/clients/databases/support/prisma-client.ts')
const { startRedis } = await import('../../test/support/redis-server.ts')

export const title = 'An operation of an instrumented client'
export const method = `A process that uses a client, ÷ two where nothing is instrumented. Redis: GET. PostgreSQL and MariaDB: a row by its key, in a pool of four
connections, with knex and Prisma over pg. All servers are real and on the same machine. SQLite: a row by its key from a database in memory. LRU cache: hits in 1,024 entries, and sets of
entries that are there. OpenTelemetry: its instrumentation of the client, with its SDK for metrics and without spans; of these only that of pg
records durations. It has none for better-sqlite3, keyv or lru-cache; those for knex and Prisma make spans alone and are left out.
Prisma: beside it an extension that is told of each action and does nothing; this package observes what all of them go through behind the extensions. ${operations}`
export const uses = 'addTo'

/** Operations in a slice, by client. */
const clients = {
  pg: { alone: 200, together: 2_000 },
  mysql2: { alone: 200, together: 2_000 },
  knex: { alone: 150, together: 1_500 },
  prisma: { alone: 100, together: 1_000 },
  ioredis: { alone: 300, together: 4_000 },
  redis: { alone: 300, together: 4_000 },
  'better-sqlite3 get': { together: 100_000 },
  'keyv get': { together: 100_000 },
  'lru-cache get': { together: 300_000 },
  'lru-cache set': { together: 200_000 }
}

/** What else is measured of a client than ours. */
const besides = { pg: ['otel'], mysql2: ['otel'], ioredis: ['otel'], redis: ['otel'], prisma: ['floor'] }
const variants = { 'bare-again': 'bare again (the noise)', floor: "Prisma's empty extension", otel: 'OpenTelemetry', vitals: 'fastify-vitals' }
export const columns = ['µs, bare', ...Object.values(variants), 'µs, fastify-vitals']

export async function measure (_names, { generations, rounds, log }) {
  const results = Object.fromEntries(Object.keys(clients).map((client) => [client, []]))
  const endings = [holdCores()]
  const keeper = { teardown: (end) => endings.unshift(end) }
  try {
    const places = JSON.stringify({ redis: (await startRedis(keeper)).port, postgres: (await startPostgres(keeper)).port, mariadb: (await startMariadb(keeper)).port, prisma: writePrisma(keeper) })
    for (let generation = 0; generation < generations; generation++) {
      for (const [client, slices] of Object.entries(clients)) {
        const names = [...BARE, ...besides[client] ?? [], 'vitals']
        results[client].push(await measureGeneration(names, { start: (name) => startChild('./client-worker.js', [name, client, places], onSecondCore), slices, rounds }))
      }
      log(`  generation ${generation + 1} of ${generations} done`)
    }
  } finally {
    for (const end of endings) await end()
  }
  return Object.entries(clients).flatMap(([client, slices]) => measuresOf(slices).map((measure) => {
    const of = (name) => results[client].map((generation) => generation[measure][name]).filter((took) => took !== undefined)
    const over = (name) => of(name).length === 0 ? '' : cell(summary(of(name).map(({ ratio }) => ratio)), 3)
    const took = (name) => number(median(of(name).map(({ us }) => us)), 3)
    return [`${client}, ${measures[measure].title}`, took('bare'), ...Object.keys(variants).map(over), took('vitals')]
  }))
}
