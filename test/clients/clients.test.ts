import { queryObjects } from 'node:v8'
import fastify from 'fastify'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { Cacheable } from 'cacheable'
import Database from 'better-sqlite3'
import { Redis } from 'ioredis'
import { Keyv } from 'keyv'
import knex from 'knex'
import type { Knex } from 'knex'
import { LRUCache } from 'lru-cache'
import { MongoClient } from 'mongodb'
import mysql from 'mysql2'
import pg from 'pg'
import { createClient } from 'redis'
import { Sequelize } from 'sequelize'
import t from 'tap'
import type { Test } from 'tap'
import { attributesOf } from '../../lib/export/otlp-attributes.ts'
import { toOtlpFamilies } from '../../lib/export/otlp-view.ts'
import vitals, { createRegistry } from '../../lib/index.ts'
import type { InstrumentOptions, VitalsOptions } from '../../lib/index.ts'
import { freePort } from '../support/free-port.ts'
import { isCollected } from '../support/garbage.ts'
import { eventually, turn } from '../support/gate.ts'
import { startMongoWire } from './databases/support/mongo-wire.ts'
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

function openPool (t: Test, options: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString: server.url, max: 2, ...options })
  t.teardown(() => pool.end())
  return pool
}

function bound (target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name)
  return typeof value === 'function' ? value.bind(target) : value
}

/** All that it has of its own, and who listens to it. */
function stateOf (client: object): unknown {
  const { eventNames, rawListeners } = client as NodeJS.EventEmitter
  const events = typeof eventNames === 'function' ? eventNames.call(client as NodeJS.EventEmitter).map(name => [name, rawListeners.call(client as NodeJS.EventEmitter, name)]) : []
  return [Reflect.ownKeys(client).filter(name => name !== '_events' && name !== '_eventsCount').map(name => [name, Object.getOwnPropertyDescriptor(client, name)]), events]
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
  const proxy = new Proxy(cache, { get: (target, name) => bound(target, name) })
  t.equal(app.vitals.instrument(proxy, { name: 'x' }), proxy)
  proxy.set('a', 1)
  t.equal(proxy.get('a'), 1)
  t.equal(app.vitals.read('cache_hits_total', { cache_type: 'x' }), 1)
  t.ok(app.vitals.uninstrument(proxy))
  proxy.get('a')
  t.equal(app.vitals.read('cache_hits_total', { cache_type: 'x' }), 1)
})

t.test('refuses a client that cannot be changed, and leaves it as it was', async t => {
  const app = await open(t, {}, keeping([]))
  const { proxy: revoked, revoke } = Proxy.revocable({}, {})
  revoke()
  t.throws(() => app.vitals.instrument(revoked, { name: 'x' }), { code: 'FSV_ERR_UNKNOWN_CLIENT', message: /got: an object of class "unknown"/ })
  // Each with the method that is wrapped last.
  const makers: Record<string, [make: () => object, last: string]> = {
    'pg Pool': [() => new pg.Pool(), 'connect'],
    'pg Client': [() => new pg.Client(server.url), 'query'],
    mysql2: [() => mysql.createPool({}), 'getConnection'],
    'mysql2 cluster': [() => mysql.createPoolCluster(), 'of'],
    'better-sqlite3': [() => new Database(':memory:'), 'transaction'],
    ioredis: [() => new Redis({ lazyConnect: true }), 'sendCommand'],
    'node-redis': [() => (createClient() as unknown as { _self: object })._self, 'quit'],
    'lru-cache': [() => new LRUCache({ max: 1 }), 'forceFetch'],
    keyv: [() => new Keyv(), 'clear'],
    cacheable: [() => new Cacheable(), 'clear']
  }
  const locks: Record<string, (client: object, last: string) => object> = {
    frozen: client => Object.freeze(client),
    sealed: client => Object.seal(client),
    'with a method that cannot be replaced': (client, last) => Object.defineProperty(client, last, { value: Reflect.get(client, last), configurable: false }),
    'behind a proxy that refuses': (client, last) => new Proxy(client, { get: (target, name) => bound(target, name), defineProperty: (target, name, descriptor) => name !== last && Reflect.defineProperty(target, name, descriptor) })
  }
  for (const [lock, close] of Object.entries(locks)) {
    for (const [title, [make, last]] of Object.entries(makers)) {
      const name = `${title} ${lock}`
      // What it stands for is asked for by a property.
      if (title === 'node-redis' && lock.startsWith('behind')) continue
      const bare = make()
      const client = close(bare, last)
      const before = stateOf(bare)
      t.throws(() => app.vitals.instrument(client, { name }), { code: 'FSV_ERR_CLIENT_LOCKED', message: /must be given a client whose methods can be wrapped, got: an object of class ".+" that does not let them \(.+\)\. Instrument it before it is frozen/ }, name)
      t.same(stateOf(bare), before, name)
      t.equal(app.vitals.uninstrument(client), false, name)
    }
  }
  const mongo = Object.freeze(new MongoClient('mongodb://127.0.0.1:1'))
  const before = stateOf(mongo)
  t.throws(() => app.vitals.instrument(mongo, { name: 'frozen' }), { code: 'FSV_ERR_CLIENT_LOCKED' })
  t.same(stateOf(mongo), before)
  t.notMatch(await app.vitals.render(), /frozen|sealed|replaced|proxy/, 'no series of theirs is there')
})

t.test('a client that cannot be wrapped whole can be instrumented later', async t => {
  const app = await open(t, {}, keeping([]))
  const pool = openPool(t)
  const client = await pool.connect()
  client.release()
  const own = Object.getOwnPropertyDescriptor(pool, 'connect')
  Object.defineProperty(pool, 'query', { value: pool.query, configurable: true })
  const handle = new Proxy(pool, { defineProperty: (target, name, descriptor) => name !== 'connect' && Reflect.defineProperty(target, name, descriptor) })
  const before = stateOf(client)
  t.throws(() => app.vitals.instrument(handle, { name: 'x' }), { code: 'FSV_ERR_CLIENT_LOCKED' })
  t.same(stateOf(client), before, 'its connections are as they were')
  t.same(Object.getOwnPropertyDescriptor(pool, 'connect'), own)
  app.vitals.instrument(client, { name: 'part' })
  app.vitals.instrument(pool, { name: 'x' })
  await client.query('select 1 from pg_class')
  t.equal(counted(app, 'part'), 1)
})

t.test('a connection that cannot be wrapped is not counted, which the log says once, and works', async t => {
  const warnings: string[] = []
  const app = await open(t, {}, keeping(warnings))
  class Locked extends pg.Client {
    constructor (config?: pg.ClientConfig) {
      super(config)
      Object.defineProperty(this, 'query', { value: pg.Client.prototype.query })
    }
  }
  const pool = openPool(t, { Client: Locked })
  app.vitals.instrument(pool, { name: 'locked' })
  const results = await Promise.all(['a', 'b', 'c'].map(async value => await pool.query('select $1 as value from pg_class limit 1', [value])))
  t.same(results.map(({ rows }) => rows), [[{ value: 'a' }], [{ value: 'b' }], [{ value: 'c' }]])
  t.equal(counted(app, 'locked'), 0)
  t.equal(warnings.length, 1)
  t.match(warnings[0], /A connection of client "locked" is not counted, it cannot be observed: Cannot redefine property: query/)
  t.ok(app.vitals.uninstrument(pool))
})

t.test('leaves alone what was frozen since it was instrumented', async t => {
  const app = await open(t, {}, keeping([]))
  const cache = new LRUCache<string, number>({ max: 1 })
  const get = (key: string): number | undefined => LRUCache.prototype.get.call(cache, key) as number | undefined
  const before = Object.assign(cache, { get })
  app.vitals.instrument(cache, { name: 'x' })
  Object.freeze(cache)
  t.ok(app.vitals.uninstrument(cache))
  t.equal(before.get('a'), undefined)
  t.equal(app.vitals.read('cache_misses_total', { cache_type: 'x' }), undefined)
  await app.close()
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
  t.equal(one.vitals.uninstrument(pool), false, 'it is left already')
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

t.test('keeps nothing of a client each time that it is left', async t => {
  const app = await open(t, {}, keeping([]))
  const cache = new LRUCache({ max: 1 })
  const before = weakReferences()
  for (let i = 0; i < 200; i++) {
    app.vitals.instrument(cache, { name: 'again' })
    t.ok(app.vitals.uninstrument(cache))
  }
  // What was looked at holds for as long as its task.
  t.ok(await eventually(async () => {
    await turn()
    return weakReferences() < before + 20
  }), `${weakReferences()} weak references, ${before} before`)
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

t.test('the name of a database goes with its own system, and is left out where clients of one name have several', async t => {
  const app = await open(t, { naming: 'semconv' }, keeping([]))
  const port = await freePort()
  const pools = [['primary', 'shop'], ['both', 'shop'], ['both', 'archive'], ['same', 'shop'], ['same', 'shop']].map(([name, database]) => app.vitals.instrument(new pg.Pool({ host: '127.0.0.1', port, database: database! }), { name: name! }))
  const other = app.vitals.instrument(mysql.createPool({ host: '127.0.0.1', port, database: 'legacy' }), { name: 'primary' })
  for (const pool of pools) await t.rejects(pool.query('select 1 from pg_class'), { code: 'ECONNREFUSED' })
  await t.rejects(other.promise().query('select 1 from pg_class'), { code: 'ECONNREFUSED' })
  await other.promise().end()
  const shown = [...(await app.vitals.render()).matchAll(/^db_client_operation_duration_seconds_count\{(.*)\} \d$/gm)].map(([, labels]) => ['db_system_name', 'db_client_connection_pool_name', 'db_namespace'].map(name => new RegExp(`(?:^|,)${name}="(.*?)"`).exec(labels!)?.[1]))
  t.strictSame(shown.sort(), [['mysql', 'primary', 'legacy'], ['postgresql', 'both', undefined], ['postgresql', 'primary', 'shop'], ['postgresql', 'same', 'shop']])
})

t.test('the names of databases of mongodb, knex and sequelize are told by both ways out, where they are known', async t => {
  const registry = createRegistry()
  const app = await open(t, { registry, naming: 'semconv' }, keeping([]))
  const mongo = await startMongoWire(t)
  const port = await freePort()
  const url = `postgresql://127.0.0.1:${port}/by_url`
  const at = { host: '127.0.0.1', port }
  const clients: Record<string, () => { client: object, run: () => Promise<unknown>, close: () => Promise<unknown> }> = {
    'mongodb by_url': () => ofMongo(mongo.url.replace('/test', '/by_url')),
    'mongodb test': () => ofMongo(mongo.url.replace('/test', '/')),
    'knex by_url': () => ofKnex({ client: 'pg', connection: url }),
    'knex shop': () => ofKnex({ client: 'mysql2', connection: { ...at, database: 'shop' } }),
    'knex unknown': () => ofKnex({ client: 'pg', connection: async () => ({ ...at, database: 'late' }) }),
    'sequelize by_url': () => ofSequelize(new Sequelize(url, { logging: false })),
    'sequelize shop': () => ofSequelize(new Sequelize('shop', 'root', '', { ...at, dialect: 'mysql', logging: false })),
    'sequelize unknown': () => ofSequelize(new Sequelize({ ...at, dialect: 'postgres', logging: false }))
  }
  for (const [name, openClient] of Object.entries(clients)) {
    const { client, run, close } = openClient()
    app.vitals.instrument(client, { name })
    await run().catch(() => {})
    await close()
  }
  const expected = Object.keys(clients).map(name => [name, name.replace(/^\w+ /, '')]).map(([name, database]) => [name, database === 'unknown' ? undefined : database]).sort()
  const shown = [...(await app.vitals.render()).matchAll(/^db_client_operation_duration_seconds_count\{(.*)\} \d$/gm)].map(([, labels]) => ['db_client_connection_pool_name', 'db_namespace'].map(name => new RegExp(`(?:^|,)${name}="(.*?)"`).exec(labels!)?.[1]))
  t.strictSame(distinct(shown), expected)
  const { banks } = toOtlpFamilies(registry.snapshot()).find(({ name }) => name === 'db.client.operation.duration')!
  const pushed = banks.flatMap(({ series, toAttributes }) => series.map(one => attributesOf(one, toAttributes))).map(attributes => [attributes['db.client.connection.pool.name'], attributes['db.namespace']])
  t.strictSame(distinct(pushed), expected)
})

function ofMongo (url: string) {
  const client = new MongoClient(url)
  return { client, run: () => client.db().collection('people').findOne(), close: () => client.close() }
}

function ofKnex (config: Knex.Config) {
  const client = knex({ ...config, log: { warn () {}, error () {}, debug () {}, deprecate () {} } })
  return { client, run: async () => await client.raw('select 1'), close: () => client.destroy() }
}

function ofSequelize (client: Sequelize) {
  return { client, run: () => client.query('select 1'), close: () => client.close() }
}

function distinct (pairs: unknown[][]): unknown[] {
  return [...new Map(pairs.map(pair => [String(pair), pair])).values()].sort()
}

t.test('failed queries have their error type as soon as one of the applications of a store wants it', async t => {
  const registry = createRegistry()
  const first = await open(t, { registry }, keeping([]))
  const pool = openPool(t)
  first.vitals.instrument(pool, { name: 'shared' })
  await t.rejects(pool.query('select wrong from pg_class'), { code: '42703' })
  const second = await open(t, { registry, naming: 'semconv' }, keeping([]))
  await t.rejects(pool.query('select wrong from pg_class'), { code: '42703' })
  const counts = [...(await second.vitals.render()).matchAll(/^db_client_operation_duration_seconds_count\{(.*)\} (\d)$/gm)].map(([, labels, count]) => [/error_type="(.*?)"/.exec(labels!)?.[1], count])
  t.strictSame(counts, [[undefined, '1'], ['42703', '1']])
})

function weakReferences (): number {
  return queryObjects(WeakRef, { format: 'count' })
}

/** Labels as the semconv naming orders them. */
function sorted (labels: string): string {
  return labels.split(',').sort().join(',')
}
