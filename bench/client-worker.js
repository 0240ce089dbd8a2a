// Uses a client over and over: `node client-worker.js <variant> <client> <port>`. Answers each message with its own CPU time and the
// time by the clock, in ms, for that many operations.
import { createRequire } from 'node:module'

const [variant, name, port] = process.argv.slice(2)

// The product's own libraries: those that its tests run against.
const require = createRequire(new URL('../package.json', import.meta.url))
const concurrency = 8

/** By client: how to open it, and one operation. One that does not wait is called in a plain loop. */
const clients = {
  async ioredis () {
    const { Redis } = require('ioredis')
    const client = new Redis({ host: '127.0.0.1', port: Number(port) })
    await client.set('bench', 'a value')
    return { client, operate: () => client.get('bench') }
  },
  async redis () {
    const { createClient } = require('redis')
    const client = createClient({ socket: { host: '127.0.0.1', port: Number(port) } })
    await client.connect()
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

async function filledCache () {
  const { LRUCache } = require('lru-cache')
  const cache = new LRUCache({ max: 1024 })
  for (let i = 0; i < 1024; i++) cache.set(i, i)
  return cache
}

const { client, operate, call } = await clients[name]()
if (variant === 'vitals') {
  const { default: vitals } = await import('../dist/index.js')
  const app = require('fastify')()
  await app.register(vitals, { endpoint: false })
  app.vitals.instrument(client, { name: 'bench' })
}

process.on('message', async ({ operations }) => {
  const startedMs = performance.now()
  const before = process.cpuUsage()
  if (call === undefined) {
    let left = operations
    await Promise.all(Array.from({ length: concurrency }, async () => { while (left-- > 0) await operate() }))
  } else {
    for (let i = 0; i < operations; i++) call()
  }
  const { user, system } = process.cpuUsage(before)
  process.send({ result: { cpuMs: (user + system) / 1_000, ms: performance.now() - startedMs } })
})
process.on('disconnect', () => process.exit())
process.send({ result: 'ready' })
