import fastify from 'fastify'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { LRUCache } from 'lru-cache'
import pg from 'pg'
import t from 'tap'
import type { Test } from 'tap'
import vitals, { createRegistry } from '../../lib/index.ts'
import type { InstrumentOptions, VitalsOptions } from '../../lib/index.ts'
import { isCollected } from '../support/garbage.ts'
import { startPostgres } from './databases/support/postgres-server.ts'

const server = await startPostgres(t)

async function open (t: Test, options: VitalsOptions = {}, logger: object = {}): Promise<FastifyInstance> {
  const app = fastify({ loggerInstance: logger as FastifyBaseLogger })
  t.teardown(() => app.close())
  await app.register(vitals, { enabled: true, endpoint: false, ...options })
  return app
}

/** A logger that keeps its warnings. */
function keeping (warnings: string[]): object {
  const ignore = (): void => {}
  const logger = { level: 'warn', fatal: ignore, error: ignore, warn: (message: string) => warnings.push(message), info: ignore, debug: ignore, trace: ignore, silent: ignore, child: () => logger }
  return logger
}

function openPool (t: Test): pg.Pool {
  const pool = new pg.Pool({ connectionString: server.url, max: 2 })
  t.teardown(() => pool.end())
  return pool
}

function counted (app: FastifyInstance, client: string, operation = 'SELECT'): unknown {
  return app.vitals.read('db_queries_total', { system: 'postgresql', client, operation, table: 'pg_class', status: 'success' }) ?? 0
}

t.test('refuses what is no client, and lists what is', async t => {
  const app = await open(t, {}, keeping([]))
  for (const [wrong, shown] of [[{}, 'class "Object"'], [new Map(), 'class "Map"'], [Object.create(null), 'class "unknown"'], [undefined, 'undefined'], [null, 'null'], ['pg', '"pg"'], [() => {}, 'a function']] as const) {
    t.throws(() => app.vitals.instrument(wrong as object, { name: 'x' }), { code: 'FSV_ERR_UNKNOWN_CLIENT', message: new RegExp(`must be given one of .*pg \\(Pool, Client\\).*got: (an object of )?${shown}`) })
  }
  t.equal(app.vitals.uninstrument({}), false)
})

t.test('refuses what cannot be looked at, as a proxy that lends its methods to nobody', async t => {
  const app = await open(t, {}, keeping([]))
  const shy = { get status () { throw new Error('not for you') } }
  for (const wrong of [shy, new Proxy(new LRUCache({ max: 1 }), {})]) {
    t.throws(() => app.vitals.instrument(wrong, { name: 'x' }), { code: 'FSV_ERR_UNKNOWN_CLIENT' })
  }
})

t.test('takes a proxy that works as a client', async t => {
  const app = await open(t, {}, keeping([]))
  const cache = new LRUCache<string, number>({ max: 1 })
  const proxy = new Proxy(cache, {
    get (target, key) {
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
  t.equal(app.vitals.instrument(proxy, { name: 'x' }), proxy)
  proxy.set('a', 1)
  t.equal(proxy.get('a'), 1)
  t.equal(app.vitals.read('cache_hits_total', { cache_type: 'x' }), 1)
  t.ok(app.vitals.uninstrument(proxy))
  proxy.get('a')
  t.equal(app.vitals.read('cache_hits_total', { cache_type: 'x' }), 1)
})

t.test('refuses a name that is none', async t => {
  const app = await open(t, {}, keeping([]))
  const pool = openPool(t)
  for (const options of [undefined, null, {}, { name: '' }, { name: 7 }, { name: 'x'.repeat(129) }]) {
    t.throws(() => app.vitals.instrument(pool, options as InstrumentOptions), { code: 'FSV_ERR_INVALID_OPTION', message: /Option name of instrument\(client, \{ name \}\) must be a string of 1 to 128 characters, got: / })
  }
  t.notOk(Object.hasOwn(pool, 'query'))
})

t.test('takes a name with odd characters', async t => {
  const app = await open(t, {}, keeping([]))
  const pool = openPool(t)
  const name = 'a "b"\\\n{c}="d",é😀'
  app.vitals.instrument(pool, { name })
  await pool.query('select 1 from pg_class')
  t.equal(counted(app, name), 1)
  t.match(await app.vitals.render(), 'db_queries_total{system="postgresql",client="a \\"b\\"\\\\\\n{c}=\\"d\\",é😀",operation="SELECT",table="pg_class",status="success"} 1\n')
})

t.test('keeps the first name of a client, and says so', async t => {
  const warnings: string[] = []
  const app = await open(t, {}, keeping(warnings))
  const pool = openPool(t)
  app.vitals.instrument(pool, { name: 'first' })
  t.equal(app.vitals.instrument(pool, { name: 'second' }), pool)
  await pool.query('select 1 from pg_class')
  t.equal(counted(app, 'first'), 1)
  t.equal(counted(app, 'second'), 0)
  t.equal(warnings.length, 1)
  t.match(warnings[0], /A client is instrumented as "first" already: it keeps that name, "second" is not used/)
})

t.test('clients of one name are shown as one', async t => {
  const app = await open(t, {}, keeping([]))
  const pools = [openPool(t), openPool(t)]
  for (const pool of pools) app.vitals.instrument(pool, { name: 'both' })
  for (const pool of pools) await pool.query('select 1 from pg_class')
  t.equal(counted(app, 'both'), 2)
  await app.vitals.render()
  const gauge = (name: string): unknown => app.vitals.read(`db_connection_pool_${name}`, { system: 'postgresql', client: 'both' })
  t.same([gauge('size'), gauge('idle'), gauge('active'), gauge('pending'), gauge('max')], [2, 2, 0, 0, 4])
})

t.test('applications with one store count a client once, those with their own each', async t => {
  const registry = createRegistry()
  const [one, two, other] = [await open(t, { registry }, keeping([])), await open(t, { registry }, keeping([])), await open(t, {}, keeping([]))]
  const pool = openPool(t)
  for (const app of [one, two, other]) app.vitals.instrument(pool, { name: 'shared' })
  await pool.query('select 1 from pg_class')
  t.equal(counted(one, 'shared'), 1)
  t.equal(counted(other, 'shared'), 1)
  await one.close()
  await pool.query('select 1 from pg_class')
  t.equal(counted(two, 'shared'), 2, 'the other application still has it')
  await two.close()
  await pool.query('select 1 from pg_class')
  t.equal(counted(two, 'shared'), 2)
  t.equal(counted(other, 'shared'), 3)
  other.vitals.uninstrument(pool)
  await pool.query('select 1 from pg_class')
  t.equal(counted(other, 'shared'), 3)
})

t.test('a disabled plugin takes clients and leaves them alone', async t => {
  const app = await open(t, { enabled: false }, keeping([]))
  const pool = openPool(t)
  t.equal(app.vitals.instrument(pool, { name: 'x' }), pool)
  t.notOk(Object.hasOwn(pool, 'query'))
  t.equal(app.vitals.uninstrument(pool), false)
})

t.test('an application that goes does not hold its clients, nor do they hold it', async t => {
  const app = await open(t, {}, keeping([]))
  const client = new WeakRef(app.vitals.instrument(new pg.Client(server.url), { name: 'short-lived' }))
  t.ok(await isCollected(client))
  await app.close()
})

t.test('failed queries have an error type under OpenTelemetry\'s names', async t => {
  const app = await open(t, { naming: 'semconv' }, keeping([]))
  const pool = openPool(t)
  app.vitals.instrument(pool, { name: 'primary' })
  await pool.query('select 1 from pg_class')
  await t.rejects(pool.query('select wrong from pg_class'), { code: '42703' })
  await pool.query('select 1')
  await pool.query('begin; commit')
  const text = await app.vitals.render()
  const scope = 'otel_scope_name="fastify-vitals"'
  const operation = 'db_system_name="postgresql",db_namespace="postgres",db_client_connection_pool_name="primary",db_operation_name="SELECT"'
  const count = (labels: string): string | undefined => new RegExp(`^db_client_operation_duration_seconds_count\\{${labels},${scope}[^}]*\\} (\\d+)$`, 'm').exec(text)?.[1]
  t.equal(count(`${sorted(`${operation},db_collection_name="pg_class"`)}`), '1')
  t.equal(count(`${sorted(`${operation},db_collection_name="pg_class",error_type="42703"`)}`), '1')
  t.equal(count(sorted(operation)), '1', 'a table that cannot be told is left out')
  for (const state of ['idle', 'used']) t.match(text, new RegExp(`^db_client_connection_count\\{.*,db_client_connection_state="${state}",.*\\} \\d$`, 'm'))
  for (const line of ['db_client_connection_max{', 'db_client_connection_pending_requests{', 'db_client_connection_wait_time_seconds_count{']) t.match(text, line)
  t.match(text, /^db_transactions_total\{.*,status="committed"[,}].* 1$/m)
  t.notMatch(text, /^db_(queries|query|connection)/m)
})

/** Labels as the semconv naming orders them. */
function sorted (labels: string): string {
  return labels.split(',').sort().join(',')
}
