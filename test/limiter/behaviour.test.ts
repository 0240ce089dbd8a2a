import rateLimit11 from '@fastify/rate-limit'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Redis } from 'ioredis'
import rateLimit10 from 'rate-limit-10'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../lib/index.ts'
import { CustomStore, described } from './support/custom-store.ts'
import type { Fates } from './support/limiter-ledger.ts'
import { add, readLedger, sum } from './support/limiter-ledger.ts'
import { startRedis } from '../support/redis-server.ts'
import type { Kit, LimiterPlugin, Order, Scenario, Step } from './support/scenarios.ts'
import { scenarios } from './support/scenarios.ts'

// Every combination is run without us and with us, in each order of registration: what clients and the application's own
// functions see must be the same, and the series must say what the clients saw.

type StoreName = 'local' | 'redis' | 'custom'

interface Answer { status: number, headers: [name: string, value: unknown][], body: string }
interface Run { app: FastifyInstance, answers: Answer[], notes: unknown[], calls: unknown[], warnings: string[] }

const plugins = { 10: rateLimit10 as unknown as LimiterPlugin, 11: rateLimit11 }
const stores: StoreName[] = ['local', 'redis', 'custom']
const orders: Order[] = ['first', 'queued', 'between', 'after']
let runs = 0

const server = await startRedis(t)
const redis = new Redis(server.port, '127.0.0.1')
t.teardown(() => redis.disconnect())

for (const [major, rateLimit] of Object.entries(plugins)) {
  for (const store of stores) {
    t.test(`@fastify/rate-limit ${major} with a ${store} store`, async t => {
      for (const [name, scenario] of Object.entries(scenarios)) {
        if (scenario.stores?.includes(store) === false) continue
        const bare = await run(scenario, 'without', rateLimit, store)
        await bare.app.close()
        for (const order of orders) {
          await t.test(`${name}: ${order}`, async t => {
            const seen = await run(scenario, order, rateLimit, store)
            t.teardown(() => seen.app.close())
            t.strictSame(seen.answers, bare.answers, 'the same answers')
            t.strictSame(seen.notes, bare.notes, 'the same calls of the application\'s functions')
            t.strictSame(seen.calls, bare.calls, 'the same stores, made with the same options and called in the same way')
            await expectLedger(t, scenario, order, seen, store)
          })
        }
      }
    })
  }
}

async function run (scenario: Scenario, order: Order, rateLimit: LimiterPlugin, store: StoreName): Promise<Run> {
  const warnings: string[] = []
  const stream = {
    write (line: string) {
      const [, message] = /^fastify-vitals: (.*)/.exec((JSON.parse(line) as { msg: string }).msg) ?? []
      if (message !== undefined) warnings.push(message)
    }
  }
  const app = fastify({ logger: { level: 'warn', stream } })
  const notes: unknown[] = []
  CustomStore.made.length = 0
  const kit: Kit = {
    rateLimit,
    store: store === 'redis' ? { redis, nameSpace: `run-${++runs}-` } : store === 'custom' ? { store: CustomStore as never } : {},
    note: (name, self, args) => notes.push([name, kindOf(self), Array.from(args, kindOf)])
  }
  const options = scenario.options(kit)
  const watch = (): unknown => app.register(vitals, { enabled: true, endpoint: false })
  if (order === 'queued') {
    watch()
    app.register(rateLimit, options)
    app.register(fp(async app => { await scenario.routes(app, kit) }))
  } else {
    if (order === 'first') await watch()
    await app.register(rateLimit, options)
    if (order === 'between') await watch()
    await scenario.routes(app, kit)
    if (order === 'after') await watch()
  }
  await app.ready()
  const answers: Answer[] = []
  for (const step of scenario.steps) {
    for (let i = 0; i < (step.times ?? 1); i++) answers.push(await ask(app, step))
  }
  return { app, answers, notes, calls: CustomStore.made.map(({ calls, options, seen }) => [calls, seen, described(options)]), warnings }
}

async function ask (app: FastifyInstance, { url, method = 'GET', remoteAddress = '127.0.0.1', headers = {} }: Step): Promise<Answer> {
  const { statusCode, headers: { date, ...rest }, body } = await app.inject({ url, method, remoteAddress, headers })
  for (const name of ['x-ratelimit-reset', 'ratelimit-reset', 'retry-after']) {
    // It counts down while the test runs.
    if (Number(rest[name]) > 3_500) rest[name] = 'nearly an hour'
  }
  // In their order, too.
  return { status: statusCode, headers: Object.entries(rest), body: nearlyAnHour(body).replace(/retry in [\w ]+/, 'retry later') }
}

/** The rest of the window in words: `60 minutes` once a second of it is over. */
function nearlyAnHour (text: string): string {
  return text.replace(/\b(?:1 hour|60 minutes)\b/, 'nearly an hour')
}

/** What a value is, so far as it does not differ from run to run. */
function kindOf (value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if ('raw' in value) return 'a request'
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, typeof entry === 'string' ? nearlyAnHour(entry) : ['number', 'boolean'].includes(typeof entry) && key !== 'ttl' ? entry : typeof entry]).sort())
}

async function expectLedger (t: Test, scenario: Scenario, order: Order, { app, answers, warnings }: Run, store: StoreName): Promise<void> {
  const gaps = scenario.gaps?.[order] ?? {}
  const fateOf: Record<number, string> = { 200: 'allowed', 404: 'allowed', 429: 'exceeded', 403: 'banned', ...scenario.fateOf }
  const fates: Fates = {}
  let storeCalls = 0
  let next = 0
  for (const { url, endpoint = url, fate, times = 1, checks = 1 } of scenario.steps) {
    for (let i = 0; i < times; i++) {
      const { status } = answers[next++]!
      const is = fate ?? fateOf[status] ?? `status ${status}`
      if (is === 'unlimited') continue
      const key = `${endpoint} ${is}`
      const told = key in gaps ? gaps[key] : key
      if (told !== undefined) add(fates, told, checks)
      if (is !== 'bypassed' && told !== undefined && (is !== 'failed' || scenario.stores !== undefined)) storeCalls += checks
    }
  }
  const ledger = await readLedger(app)
  t.strictSame(sorted(ledger.fates), sorted(fates), 'the series tell what the clients saw')
  t.equal(ledger.checks, sum(fates), 'checks add up')
  t.equal(ledger.timed, sum(fates), 'each check is timed')
  const decided = sum(ledger.fates, 'allowed', 'exceeded', 'banned') - (scenario.withoutQuota?.[order] ?? 0)
  t.equal(ledger.remaining, decided, 'each decision has what remains')
  t.equal(ledger.usage, decided - (scenario.withoutLimit?.[order] ?? 0), 'each decision has a used share')
  const timed = scenario.timed?.[order] ?? storeCalls
  t.strictSame(ledger.storeCalls, timed > 0 ? { [`${store} incr`]: timed } : {}, 'each call of a store is timed')
  const expected = scenario.warnings?.[order] ?? []
  t.equal(warnings.length, expected.length, `the log says what is missing: ${warnings.join('; ')}`)
  t.match(warnings, expected, 'and where')
}

function sorted (fates: Fates): [string, number][] {
  return Object.entries(fates).sort()
}
