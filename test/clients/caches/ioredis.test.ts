import { once } from 'node:events'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import * as six from 'ioredis'
import * as five from 'ioredis-5'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import { freePort } from '../../support/free-port.ts'
import { RedisServer, startRedis } from '../../support/redis-server.ts'
import type { CacheOpening, CacheSession } from './cache-contract.ts'
import { cacheContract, rejection } from './cache-contract.ts'
import { countedOperations } from '../support/counted.ts'
import { HOSTILE, logged, SECRET } from '../support/logged.ts'

const server = await startRedis(t)

type Library = Pick<typeof six, 'Redis'>
const libraries = { 'ioredis 6': six, 'ioredis 5': five as unknown as Library }

function openRedis ({ Redis }: Library, { port, timeoutMs, attempts = Infinity }: CacheOpening, more: object = {}): six.Redis {
  const redis = new Redis({
    port,
    host: '127.0.0.1',
    db: 1,
    lazyConnect: true,
    maxRetriesPerRequest: null,
    retryStrategy: times => times > attempts ? null : 10,
    ...timeoutMs !== undefined && { commandTimeout: timeoutMs },
    ...more
  })
  redis.on('error', () => {})
  return redis
}

function toSession (redis: six.Redis): CacheSession {
  const inOne = (chain: six.ChainableCommander, key: string): Promise<unknown> => chain.set(key, 'x').get(key).get('missing').lpush(key, 'y').exec()
    .then(replies => replies!.map(([error, reply]) => error?.message ?? reply))
  return {
    client: redis,
    get: key => redis.get(key),
    set: (key, value) => redis.set(key, value),
    connect: () => redis.connect(),
    fail: key => redis.lpush(key, 'y'),
    block: () => redis.blpop('contract-list', 0),
    pipeline: key => inOne(redis.pipeline(), key),
    transaction: key => inOne(redis.multi(), key),
    close: async () => redis.disconnect()
  }
}

const touched = ['sendCommand', '_events']

for (const [title, library] of Object.entries(libraries)) {
  cacheContract(t, { title, server, touched, open: opening => toSession(openRedis(library, opening)) })

  cacheContract(t, {
    title: `${title} with callbacks and automatic pipelines`,
    server,
    touched,
    open (opening) {
      const redis = openRedis(library, opening, { enableAutoPipelining: true })
      const get = (key: string): Promise<unknown> => new Promise((resolve, reject) => redis.get(key, (error, value) => error ? reject(error) : resolve(value)))
      return { ...toSession(redis), get }
    }
  })

  t.test(`${title}: what is special`, async t => {
    interface Opened { redis: six.Redis, app: FastifyInstance, counted (): Promise<Record<string, number>> }

    async function open (t: Test, options: object = {}): Promise<Opened> {
      const redis = openRedis(library, { port: server.port }, { db: 0, ...options })
      const app = fastify()
      await app.register(vitals, { enabled: true, endpoint: false })
      t.teardown(async () => {
        redis.disconnect()
        await app.close()
      })
      app.vitals.instrument(redis, { name: 'special' })
      return { redis, app, counted: () => countedOperations(app, 'special') }
    }

    await t.test('reads of many keys, of hashes and of buffers', async t => {
      const { redis, app, counted } = await open(t, { keyPrefix: 'prefix:' })
      await redis.set('a', '1')
      await redis.hset('hash', 'field', '1')
      await redis.mget('a', 'b', 'c')
      await redis.mget('a', 'a')
      await redis.hgetall('hash')
      await redis.hgetall('none')
      await redis.hget('hash', 'field')
      await redis.hmget('hash', 'field', 'other')
      await redis.getBuffer('a')
      await redis.getdel('a')
      await redis.getex('a', 'EX', 10)
      await redis.call('GET', 'a')
      t.same(await counted(), {
        'set success': 1,
        'hset success': 1,
        'mget miss': 1,
        'mget hit': 1,
        'hgetall hit': 1,
        'hgetall miss': 1,
        'hget hit': 1,
        'hmget miss': 1,
        'get hit': 1,
        'getdel hit': 1,
        'getex miss': 1,
        'get miss': 1
      })
      t.equal(app.vitals.read('cache_hits_total', { cache_type: 'special' }), 8)
      t.equal(app.vitals.read('cache_misses_total', { cache_type: 'special' }), 6)
    })

    await t.test('hashes as objects and maps in the newer protocol', async t => {
      const { redis, counted } = await open(t, { protocol: 3, replyMapping: 'resp3' })
      await redis.hset('map', 'field', '1')
      await redis.hgetall('map')
      await redis.hgetall('none')
      t.same(await counted(), { 'hset success': 1, 'hgetall hit': 1, 'hgetall miss': 1 })
    })

    await t.test('scripts under their command, once also where the server has forgotten them', async t => {
      const { redis, counted } = await open(t)
      redis.defineCommand('secretScript', { numberOfKeys: 1, lua: 'return redis.call("get", KEYS[1])' })
      const { secretScript } = redis as unknown as { secretScript (key: string): Promise<unknown> }
      await secretScript.call(redis, 'a')
      await secretScript.call(redis, 'a')
      await server.run('SCRIPT FLUSH')
      await secretScript.call(redis, 'a')
      t.same(await counted(), { 'evalsha success': 3 })
      await rejection(redis.evalsha('0000000000000000000000000000000000000000', 0))
      t.same(await counted(), { 'evalsha success': 3, 'evalsha error': 1 })
    })

    await t.test('names that are no commands as other', async t => {
      const { redis, counted } = await open(t)
      await rejection(redis.call('secretname', 'a') as Promise<unknown>)
      await redis.call('sEt', 'a', '1')
      t.same(await counted(), { 'other error': 1, 'set success': 1 })
    })

    await t.test('transactions without a pipeline, aborted by WATCH, refused, discarded, cut off', async t => {
      const { redis, counted } = await open(t)
      await redis.set('watched', '1')
      await redis.multi({ pipeline: false })
      await redis.get('watched')
      t.same(await redis.exec(), [[null, '1']])
      t.same(await counted(), { 'set success': 1, 'get hit': 1 })
      await redis.watch('watched')
      await server.run('SET watched again')
      t.equal(await redis.multi().get('watched').exec(), null)
      t.same(await counted(), { 'set success': 1, 'get hit': 1, 'watch success': 1, 'get error': 1 })
      await rejection(redis.multi().get('watched').call('nonsense').exec())
      t.equal((await counted())['get error'], 2)
      t.equal((await counted())['other error'], 1)
      await redis.multi({ pipeline: false })
      await redis.get('watched')
      await redis.discard()
      t.equal((await counted())['get error'], 3)
      await redis.multi({ pipeline: false })
      await redis.get('watched')
      redis.disconnect(true)
      await once(redis, 'ready')
      t.equal((await counted())['get error'], 4)
      await redis.get('watched')
      t.equal((await counted())['get hit'], 2)
      await rejection(redis.exec())
      t.equal((await counted())['exec error'], 1, 'without a transaction it is a command')
    })

    await t.test('a transaction whose MULTI failed is none', async t => {
      const { redis, counted } = await open(t, { enableOfflineQueue: false })
      await rejection(redis.multi({ pipeline: false }) as Promise<unknown>)
      await redis.connect().catch(() => once(redis, 'ready'))
      await redis.get('missing')
      t.same(await counted(), { 'get miss': 1 })
      await redis.multi({ pipeline: false })
      const both = Promise.allSettled([redis.multi({ pipeline: false }), redis.get('missing'), redis.set('one', '1'), redis.exec()])
      t.match((await both)[0], { status: 'rejected', reason: { message: /nested/ } })
      t.same(await counted(), { 'get miss': 2, 'multi error': 1, 'set success': 1 })
      await redis.multi({ pipeline: false })
      await redis.get('missing')
      const ended = once(redis, 'end')
      redis.disconnect()
      await ended
      t.same(await counted(), { 'get miss': 2, 'get error': 1, 'multi error': 1, 'set success': 1 })
    })

    await t.test('transactions of a client that is closed are their commands', async t => {
      const { redis, counted } = await open(t)
      const all = Promise.allSettled([redis.multi({ pipeline: false }), redis.get('missing'), redis.exec()])
      const ended = once(redis, 'end')
      redis.disconnect()
      await Promise.all([all, ended])
      t.same(await counted(), { 'get error': 1 })
      await rejection(redis.multi().get('missing').exec())
      t.same(await counted(), { 'get error': 2 })
    })

    await t.test('a transaction that waits for a connection for longer than one attempt, in capitals', async t => {
      const port = await freePort()
      const late = new RedisServer(port, '/')
      t.teardown(() => late.kill())
      const { redis, counted } = await open(t, { port, retryStrategy: () => 5 })
      const begun = redis.call('MULTI')
      for (let i = 0; i < 2; i++) await new Promise(resolve => { redis.once('close', resolve) })
      await late.start()
      await begun
      await redis.call('GET', 'missing')
      t.same(await redis.call('EXEC'), [null])
      t.same(await counted(), { 'get miss': 1 })
    })

    await t.test('subscriptions, restored by the library or not, and monitors', async t => {
      const { redis, app, counted } = await open(t, { protocol: 2 })
      await redis.subscribe('channel')
      t.same(await counted(), { 'subscribe success': 1 })
      await rejection(redis.get('a'))
      redis.disconnect(true)
      await once(redis, 'ready')
      const message = once(redis, 'message')
      while ((await server.run('PUBLISH channel hello')) === ':0\r\n');
      t.same(await message, ['channel', 'hello'])
      t.same(await counted(), { 'subscribe success': 1, 'get error': 1 })
      const monitor = await redis.duplicate().monitor()
      app.vitals.instrument(monitor, { name: 'monitor' })
      await app.vitals.render()
      t.equal(app.vitals.read('health_dependency_status', { dependency: 'monitor' }), 1)
      monitor.disconnect()
    })

    await t.test('blocking commands, streams by their commands, errors with the stack of the caller', async t => {
      const { redis, counted } = await open(t, { showFriendlyErrorStack: true })
      await server.run('DEL list\r\nSET scanned 1')
      t.equal(await redis.blpop('list', 0.05), null)
      const other = redis.duplicate()
      const waiting = redis.blpop('list', 0)
      await server.isBlocking()
      await other.lpush('list', 'x')
      t.same(await waiting, ['list', 'x'])
      other.disconnect()
      for await (const keys of redis.scanStream({ match: 'scanned' })) t.ok(Array.isArray(keys))
      const error = await rejection(redis.lpush('scanned', 'y'))
      t.match(error.message, /WRONGTYPE/)
      t.match(error.stack, /ioredis\.test/)
      const after = await counted()
      t.equal(after['blpop success'], 2)
      t.ok(Number(after['scan success']) >= 1)
      t.equal(after['lpush error'], 1)
    })

    await t.test('arguments and replies that the application transforms', async t => {
      const { redis, counted } = await open(t)
      const { Command } = library as unknown as { Command: { _transformer: { reply: Record<string, (reply: unknown) => unknown> }, setReplyTransformer (name: string, transform: () => unknown): void } }
      const { reply } = Command._transformer
      const hgetall = reply['hgetall']
      Command.setReplyTransformer('hgetall', () => 'nothing that is a hash')
      t.teardown(() => { reply['hgetall'] = hgetall! })
      await redis.hset('transformed', new Map([['field', '1']]))
      t.equal(await redis.hgetall('transformed'), 'nothing that is a hash')
      await redis.hgetall('none')
      t.same(await counted(), { 'hset success': 1, 'hgetall hit': 1, 'hgetall miss': 1 }, 'told by what the server answered')
    })

    await t.test('clients made of it are not instrumented', async t => {
      const { redis, counted } = await open(t)
      const other = redis.duplicate()
      await other.get('a')
      other.disconnect()
      t.same(await counted(), {})
    })

    await t.test('waits of the offline queue belong to the command, which is counted once', async t => {
      const { redis, app } = await open(t)
      await app.vitals.render()
      t.equal(app.vitals.read('health_dependency_status', { dependency: 'special' }), undefined, 'it was never asked to connect')
      const started = performance.now()
      const waiting = redis.get('a')
      await waiting
      const { count, sum } = app.vitals.read('cache_operation_duration_seconds', { cache_type: 'special', operation: 'get' }) as { count: number, sum: number }
      t.equal(count, 1)
      t.ok(sum <= (performance.now() - started) / 1_000)
      const strict = openRedis(library, { port: server.port }, { enableOfflineQueue: false })
      app.vitals.instrument(strict, { name: 'strict' })
      await rejection(strict.get('a'))
      t.equal(app.vitals.read('cache_operations_total', { cache_type: 'strict', operation: 'get', status: 'error' }), 1)
      strict.disconnect()
    })

    await t.test('several clients of one name are up if all of them are', async t => {
      const { redis, app } = await open(t)
      const other = openRedis(library, { port: server.port })
      app.vitals.instrument(other, { name: 'special' })
      const health = async (): Promise<unknown> => {
        await app.vitals.render()
        return app.vitals.read('health_dependency_status', { dependency: 'special' })
      }
      await Promise.all([redis.connect(), other.connect()])
      t.equal(await health(), 1)
      const ended = once(other, 'end')
      other.disconnect()
      await ended
      t.equal(await health(), 0)
      app.vitals.uninstrument(other)
      t.equal(await health(), 1)
    })

    await t.test('what is no command, as the library refuses it', async t => {
      const { redis } = await open(t)
      const bare = openRedis(library, { port: server.port })
      t.teardown(() => bare.disconnect())
      await Promise.all([redis.ping(), bare.ping()])
      for (const wrong of [undefined, null, 7] as never[]) {
        const messageOf = (redis: six.Redis): unknown => {
          try {
            return redis.sendCommand(wrong)
          } catch (error) {
            return String(error)
          }
        }
        t.equal(messageOf(redis), messageOf(bare))
      }
    })

    await t.test('no key and no value reaches the log or a label, whatever fails', async t => {
      const redis = openRedis(library, { port: server.port, attempts: 1 }, { db: 0, keyPrefix: SECRET, connectionName: SECRET })
      t.teardown(() => redis.disconnect())
      const { said, vitals } = await logged(t, redis)
      const failing = (promise: Promise<unknown>): Promise<unknown> => promise.catch(() => {})
      for (const hostile of HOSTILE) {
        await redis.set(hostile, hostile)
        await redis.mget(hostile, 'missing')
        await redis.hset('hash', hostile, hostile)
        const pipelines = [redis.pipeline(), redis.multi()].map(chain => chain.get(hostile).lpush(hostile, hostile).call(hostile, hostile).exec())
        for (const promise of [
          ...pipelines,
          redis.lpush(hostile, hostile),
          redis.incr(hostile),
          redis.call(hostile, hostile),
          redis.call('set', hostile),
          redis.eval(`return redis.call('lpush', KEYS[1], '${hostile}')`, 1, hostile),
          redis.eval(hostile, 0),
          redis.auth(hostile, hostile),
          redis.publish(hostile, hostile)
        ]) await failing(promise as Promise<unknown>)
      }
      const ended = once(redis, 'end')
      const lost = failing(redis.blpop(SECRET, 0))
      redis.disconnect()
      await Promise.all([lost, ended, failing(redis.get(SECRET))])
      t.ok((vitals.read('vitals_series_overflow_total', { metric: 'cache_operations_total' }) as number) > 0)
      const all = await said()
      t.match(all, /instrumented as \\"logged\\" already/, 'the log is there')
      t.notMatch(all, SECRET)
    })

    await t.test('a rejection that nobody handles stays one', async t => {
      const { redis } = await open(t)
      await redis.set('text', 'x')
      const unhandled = once(process, 'unhandledRejection')
      redis.lpush('text', 'y')
      t.match((await unhandled)[0], { message: /WRONGTYPE/ })
    })
  })
}
