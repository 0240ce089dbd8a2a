// Uses a client over and over: `node client-worker.js <variant> <client> <places>`. Answers each message with its own CPU time and the
// time by the clock, in ms, for so many operations, so many at a time.
import { createRequire } from 'node:module'

const [variant, name, given] = process.argv.slice(2)
/** The servers' ports, and the folder of Prisma's generated client. */
const places = JSON.parse(given)

// The product's own libraries: those that its tests run against.
const require = createRequire(new URL('../package.json', import.meta.url))

// Before the libraries are loaded: it works on `require`.
if (variant === 'otel') await startOpenTelemetry()

/** By client: how to open it, and one operation, which gets what it is to use. One that does not wait is called in a plain loop. */
const clients = {
  async pg () {
    const pg = require('pg')
    const client = new pg.Pool({ host: '127.0.0.1', port: places.postgres, user: 'postgres', database: 'postgres', max: 4 })
    await fill((sql) => client.query(sql))
    return { client, operate: () => client.query('select note from notes where id = $1', [7]) }
  },
  async mysql2 () {
    const mysql = require('mysql2/promise')
    const client = mysql.createPool({ host: '127.0.0.1', port: places.mariadb, user: 'root', database: 'mysql', connectionLimit: 4 })
    await fill((sql) => client.query(sql))
    return { client, operate: () => client.execute('select note from notes where id = ?', [7]) }
  },
  async knex () {
    const client = require('knex')({ client: 'pg', connection: { host: '127.0.0.1', port: places.postgres, user: 'postgres', database: 'postgres' }, pool: { min: 4, max: 4 } })
    await fill((sql) => client.raw(sql))
    return { client, operate: () => client('notes').select('note').where('id', 7) }
  },
  async prisma () {
    const { PrismaPg } = require('@prisma/adapter-pg')
    const { PrismaClient } = require(`${places.prisma}/generated`)
    const adapter = new PrismaPg({ host: '127.0.0.1', port: places.postgres, user: 'postgres', database: 'postgres', max: 4 })
    const client = new PrismaClient({ adapter })
    await client.$executeRawUnsafe('create table if not exists "Task" (id integer primary key, title text unique)')
    await client.$executeRawUnsafe("insert into \"Task\" (id, title) values (7, 'a task') on conflict do nothing")
    // Prisma itself takes its time for an extension that is told of each action, whatever that does.
    const floor = () => client.$extends({ query: { $allOperations: ({ args, query }) => query(args) } })
    return { client, floor, operate: (used) => used.task.findUnique({ where: { id: 7 } }) }
  },
  async 'better-sqlite3 get' () {
    // A native library: that of this package is for the Node that is measured.
    const { default: Database } = await import('better-sqlite3')
    const client = new Database(':memory:')
    await fill((sql) => client.exec(sql))
    return { client, prepare: () => client.prepare('select note from notes where id = ?'), call: (statement) => statement.get(7) }
  },
  async ioredis () {
    const { Redis } = require('ioredis')
    const client = new Redis({ host: '127.0.0.1', port: places.redis })
    await client.set('bench', 'a value')
    return { client, operate: () => client.get('bench') }
  },
  async redis () {
    const { createClient } = require('redis')
    const client = createClient({ socket: { host: '127.0.0.1', port: places.redis } })
    await client.connect()
    await client.set('bench', 'a value')
    return { client, operate: () => client.get('bench') }
  },
  async 'keyv get' () {
    const { Keyv } = require('keyv')
    const client = new Keyv()
    await client.set('bench', 'a value')
    return { client, operate: () => client.get('bench') }
  },
  async 'lru-cache get' () {
    const client = await filledCache()
    let i = 0
    return { client, call: () => client.get(i++ & 1023) }
  },
  async 'lru-cache set' () {
    const client = await filledCache()
    let i = 0
    return { client, call: () => client.set(i++ & 1023, i) }
  }
}

/** OpenTelemetry's instrumentation of a client, with its SDK for metrics and without spans. */
async function startOpenTelemetry () {
  const { MeterProvider, AggregationTemporality, InMemoryMetricExporter, PeriodicExportingMetricReader } = await import('@opentelemetry/sdk-metrics')
  const { default: instrumentations } = await import(`@opentelemetry/instrumentation-${name}`)
  const [Instrumentation] = Object.values(instrumentations).filter((exported) => typeof exported === 'function' && exported.name.endsWith('Instrumentation'))
  const reader = new PeriodicExportingMetricReader({ exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE), exportIntervalMillis: 3_600_000, exportTimeoutMillis: 1_000 })
  const instrumentation = new Instrumentation()
  instrumentation.setMeterProvider(new MeterProvider({ readers: [reader] }))
  instrumentation.enable()
}

async function fill (run) {
  await run('create table if not exists notes (id integer primary key, note varchar(20))')
  await run('delete from notes')
  await run("insert into notes (id, note) values (7, 'a note')")
}

async function filledCache () {
  const { LRUCache } = require('lru-cache')
  const cache = new LRUCache({ max: 1024 })
  for (let i = 0; i < 1024; i++) cache.set(i, i)
  return cache
}

const { client, floor, operate, prepare, call } = await clients[name]()
// All of them have the plugin: what it takes to load is not the cost of an operation.
const { default: vitals } = await import('../dist/index.js')
const app = require('fastify')()
await app.register(vitals, { enabled: true, endpoint: false })
const used = variant === 'vitals' ? app.vitals.instrument(client, { name: 'bench' }) : variant === 'floor' ? floor() : client

// What is prepared is, as in an application, after the client was instrumented.
const prepared = prepare?.()

process.on('message', async ({ operations, concurrency }) => {
  const startedMs = performance.now()
  const before = process.cpuUsage()
  if (call === undefined) {
    let left = operations
    await Promise.all(Array.from({ length: concurrency }, async () => { while (left-- > 0) await operate(used) }))
  } else {
    for (let i = 0; i < operations; i++) call(prepared)
  }
  const { user, system } = process.cpuUsage(before)
  process.send({ result: { cpuMs: (user + system) / 1_000, ms: performance.now() - startedMs } })
})
process.on('disconnect', () => process.exit())
process.send({ result: 'ready' })
