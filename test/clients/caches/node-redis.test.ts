import { once } from 'node:events'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import * as six from 'redis'
import * as five from 'redis-5'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import { isCollected } from '../../support/garbage.ts'
import { startRedis } from '../../support/redis-server.ts'
import type { CacheOpening, CacheSession } from './cache-contract.ts'
import { cacheContract, rejection } from './cache-contract.ts'
import { countedOperations } from '../support/counted.ts'
import { HOSTILE, logged, SECRET } from '../support/logged.ts'

const server = await startRedis(t)

type Library = Pick<typeof six, 'createClient' | 'createClientPool' | 'defineScript'>
type Client = ReturnType<typeof six.createClient>
const libraries = { 'redis 6': six, 'redis 5': five as unknown as Library }

function toOptions ({ port, timeoutMs, attempts = Infinity }: CacheOpening): object {
  const socket = { port, host: '127.0.0.1', reconnectStrategy: (retries: number) => retries >= attempts ? new Error('given up') : 10 }
  return { database: 1, socket: { ...socket, ...timeoutMs !== undefined && { socketTimeout: timeoutMs } } }
}

function toSession (client: Client): CacheSession {
  const inOne = (key: string) => client.multi().set(key, 'x').get(key).get('missing').lPush(key, 'y')
  return {
    client,
    get: key => client.get(key),
    set: (key, value) => client.set(key, value),
    connect: () => client.connect(),
    fail: key => client.lPush(key, 'y'),
    block: () => client.blPop('contract-list', 0),
    pipeline: key => inOne(key).execAsPipeline(),
    transaction: key => inOne(key).exec(),
    close: async () => client.isOpen && client.destroy()
  }
}

const touched = ['subscribe', 'SUBSCRIBE', 'quit', 'QUIT', 'monitor', 'reset', 'sendCommand', '_executeScript', '_executeMulti', '_executePipeline', 'execute', '_events']
const carrier = (client: object): object => (client as { _self: object })._self

for (const [title, library] of Object.entries(libraries)) {
  const openClient = (opening: CacheOpening): Client => library.createClient(toOptions(opening)).on('error', () => {}) as Client

  cacheContract(t, { title, server, touched, carrier, open: opening => toSession(openClient(opening)) })

  cacheContract(t, {
    title: `${title}, the pool`,
    server,
    unsent: 'other',
    touched,
    carrier,
    open: opening => toSession(library.createClientPool(toOptions(opening), { minimum: 1, maximum: 3 }).on('error', () => {}) as unknown as Client)
  })

  cacheContract(t, {
    title: `${title}, the legacy interface with callbacks`,
    server,
    touched,
    carrier,
    open (opening) {
      const client = openClient(opening)
      const legacy = client.legacy()
      const call = (method: 'get' | 'set' | 'lPush', ...args: string[]): Promise<unknown> => new Promise((resolve, reject) => {
        legacy[method](...args, (error: Error | null, reply: unknown) => error ? reject(error) : resolve(reply))
      })
      return { ...toSession(client), get: key => call('get', key), set: (key, value) => call('set', key, value), fail: key => call('lPush', key, 'y') }
    }
  })

  t.test(`${title}: what is special`, async t => {
    interface Opened { client: Client, app: FastifyInstance, counted (): Promise<Record<string, number>> }

    async function open (t: Test, options: object = {}): Promise<Opened> {
      const client = library.createClient({ ...toOptions({ port: server.port }), database: 0, ...options }) as Client
      client.on('error', () => {})
      const app = fastify()
      await app.register(vitals, { enabled: true, endpoint: false })
      t.teardown(async () => {
        if (client.isOpen) client.destroy()
        await app.close()
      })
      app.vitals.instrument(client, { name: 'special' })
      await client.connect()
      return { client, app, counted: () => countedOperations(app, 'special') }
    }

    for (const RESP of [2, 3] as const) {
      await t.test(`reads of many keys and of hashes, with protocol ${RESP}`, async t => {
        const { client, app, counted } = await open(t, { RESP })
        await client.set('a', '1')
        await client.hSet('hash', 'field', '1')
        await client.mGet(['a', 'b', 'c'])
        await client.mGet(['a', 'a'])
        await client.hGetAll('hash')
        await client.hGetAll('none')
        await client.hGet('hash', 'field')
        await client.hmGet('hash', ['field', 'other'])
        await client.getDel('a')
        await client.sendCommand(['get', Buffer.from('a')])
        await client.sendCommand([Buffer.from('GET'), 'a'])
        t.same(await counted(), {
          'set success': 1,
          'hset success': 1,
          'mget miss': 1,
          'mget hit': 1,
          'hgetall hit': 1,
          'hgetall miss': 1,
          'hget hit': 1,
          'hmget miss': 1,
          'getdel hit': 1,
          'get miss': 2
        })
        t.equal(app.vitals.read('cache_hits_total', { cache_type: 'special' }), 7)
        t.equal(app.vitals.read('cache_misses_total', { cache_type: 'special' }), 6)
      })
    }

    await t.test('objects with other options are the same client', async t => {
      const { client, app, counted } = await open(t)
      const { BLOB_STRING } = six.RESP_TYPES
      const buffers = client.withTypeMapping({ [BLOB_STRING]: Buffer })
      t.equal(app.vitals.instrument(buffers, { name: 'other' }), buffers)
      await client.set('a', '1')
      t.same(await buffers.get('a'), Buffer.from('1'))
      await client.withCommandOptions({}).get('a')
      t.same(await counted(), { 'set success': 1, 'get hit': 2 })
      t.same(await countedOperations(app, 'other'), {})
      t.ok(app.vitals.uninstrument(buffers))
      await client.get('a')
      t.equal((await counted())['get hit'], 3)
    })

    await t.test('one of which only an object with other options is kept is left as it was', async t => {
      const app = fastify()
      await app.register(vitals, { enabled: true, endpoint: false })
      const self = carrier(app.vitals.instrument(library.createClient(toOptions({ port: server.port })), { name: 'kept' }).withCommandOptions({}))
      t.ok(Object.hasOwn(self, 'sendCommand'))
      t.ok(await isCollected(new WeakRef({})), 'the garbage has been collected')
      await app.close()
      t.notOk(Object.hasOwn(self, 'sendCommand'))
    })

    await t.test('an aborted command', async t => {
      const { client, counted } = await open(t)
      const aborted = new AbortController()
      const waiting = client.withAbortSignal(aborted.signal).get('a')
      aborted.abort()
      t.equal((await rejection(waiting)).name, 'Error')
      t.same(await counted(), { 'get error': 1 })
    })

    await t.test('transactions that WATCH aborts, that the server refuses, pipelines and commands of a closed client', async t => {
      const { client, counted } = await open(t)
      await client.watch('watched')
      await server.run('SET watched elsewhere')
      t.match(await rejection(client.multi().get('watched').set('b', '1').exec()), { message: /watched keys/ })
      t.same(await counted(), { 'watch success': 1, 'get error': 1, 'set error': 1 })
      await rejection(client.multi().get('watched').addCommand(['nonsense']).exec())
      t.equal((await counted())['get error'], 2)
      t.equal((await counted())['other error'], 1)
      client.destroy()
      await rejection(client.multi().get('a').execAsPipeline())
      await rejection(client.multi().get('a').exec())
      await rejection(client.get('a'))
      t.equal((await counted())['get error'], 5)
    })

    await t.test('scripts under their command, once also where the server has forgotten them', async t => {
      const echo = library.defineScript({
        NUMBER_OF_KEYS: 1,
        SCRIPT: 'return {KEYS[1], ARGV[1]}',
        parseCommand (parser: { pushKey (key: string): void, push (argument: string): void }, key: string, argument: string) {
          parser.pushKey(key)
          parser.push(argument)
        },
        transformReply: (reply: unknown) => reply
      } as never)
      await server.run('SCRIPT FLUSH')
      const { client, counted } = await open(t, { scripts: { echo } })
      const scripted = client as unknown as { echo (key: string, argument: string): Promise<unknown> }
      await scripted.echo('k', 'v')
      await scripted.echo('k', 'v')
      t.same(await counted(), { 'eval success': 1, 'evalsha success': 1 })
      await rejection(client.evalSha('0000000000000000000000000000000000000000'))
      t.same(await counted(), { 'eval success': 1, 'evalsha success': 1, 'evalsha error': 1 })
    })

    await t.test('the cache that the library has itself', async t => {
      const { client, counted } = await open(t, { RESP: 3, clientSideCache: { ttl: 0, maxEntries: 10 } })
      await client.set('cached', '1')
      await client.get('cached')
      await client.get('cached')
      await client.get('cached-not')
      await client.get('cached-not')
      await rejection(client.lPush('cached', 'x'))
      t.same(await counted(), { 'set success': 1, 'get hit': 2, 'get miss': 2, 'lpush error': 1 })
    })

    await t.test('a read that waits for the same one, which fails', async t => {
      const { client, counted } = await open(t, { RESP: 3, clientSideCache: { ttl: 0, maxEntries: 10 } })
      await server.pause(400)
      const both = [client.get('cached'), client.get('cached')]
      const failed = Promise.allSettled(both)
      client.destroy()
      t.same((await failed).map(({ status }) => status), ['rejected', 'rejected'])
      t.same(await counted(), { 'get error': 2 })
      await server.run('CLIENT UNPAUSE')
    })

    await t.test('subscriptions count when they are made, not what comes of them, and go on', async t => {
      const { client, counted } = await open(t)
      const message = new Promise(resolve => client.subscribe('secret-channel', resolve))
      while ((await server.run('PUBLISH secret-channel hello')) === ':0\r\n');
      t.equal(await message, 'hello')
      await client.subscribe('secret-channel', () => {})
      await client.PSUBSCRIBE('secret-*', () => {})
      await client.pUnsubscribe('secret-*')
      await client.sSubscribe('secret', () => {})
      await client.SUNSUBSCRIBE('secret')
      const made = { 'subscribe success': 2, 'psubscribe success': 1, 'punsubscribe success': 1, 'ssubscribe success': 1, 'sunsubscribe success': 1 }
      t.same(await counted(), made)
      const ready = new Promise<void>(resolve => { client.once('ready', resolve) })
      await server.run('CLIENT KILL TYPE pubsub')
      await ready
      await client.unsubscribe()
      t.same(await counted(), { ...made, 'unsubscribe success': 1 }, 'what the library restores is its own')
      const waiting = rejection(client.subscribe('secret-channel', () => {}) as Promise<unknown>)
      client.destroy()
      await waiting
      t.equal((await counted())['subscribe error'], 1)
    })

    await t.test('a monitor', async t => {
      const { client, counted } = await open(t)
      const seen = new Promise(resolve => client.monitor(line => { if (line.includes('MONITORED')) resolve(line) }))
      while (await Promise.race([seen, server.run('ECHO MONITORED')]) === '$9\r\nMONITORED\r\n');
      t.same(await counted(), { 'monitor success': 1 })
    })

    await t.test('a reset, and one that breaks off', async t => {
      const { client, counted } = await open(t)
      await client.select(1)
      await client.reset()
      t.same(await counted(), { 'select success': 1, 'reset success': 1 }, 'what the library sends after it is its own')
      await server.pause(400)
      const broken = rejection(client.reset())
      client.destroy()
      await broken
      t.equal((await counted())['reset error'], 1)
      await server.run('CLIENT UNPAUSE')
    })

    await t.test('a goodbye', async t => {
      const { client, counted } = await open(t)
      await client.quit()
      t.same(await counted(), { 'quit success': 1 })
    })

    await t.test('blocking commands, iterators by their commands', async t => {
      const { client, counted } = await open(t)
      await server.run('DEL list\r\nSET scanned 1')
      t.equal(await client.blPop('list', 0.05), null)
      const popped = client.duplicate()
      await popped.connect()
      const waiting = client.blPop('list', 0)
      await server.isBlocking()
      await popped.lPush('list', 'x')
      t.same({ ...await waiting }, { key: 'list', element: 'x' })
      popped.destroy()
      for await (const keys of client.scanIterator({ MATCH: 'scanned' })) t.ok(Array.isArray(keys))
      t.match(await counted(), { 'blpop success': 2, 'scan success': Number })
    })

    await t.test('a transaction in which a command fails', async t => {
      const { client, counted } = await open(t)
      await client.set('text', 'x')
      const replies = await client.multi().get('text').lPush('text', 'y').get('missing').exec().catch((error: { replies: unknown[] }) => error.replies) as unknown[]
      t.equal(replies[0], 'x')
      t.match(replies[1], { message: /WRONGTYPE/ })
      t.same(await counted(), { 'set success': 1, 'get hit': 1, 'lpush error': 1, 'get miss': 1 })
    })

    await t.test('clients made of it are not instrumented', async t => {
      const { client, counted } = await open(t)
      const other = client.duplicate()
      await other.connect()
      await other.get('a')
      other.destroy()
      t.same(await counted(), {})
    })

    await t.test('a task of a pool that gets no connection, and one of the application', async t => {
      const { app } = await open(t)
      const pool = library.createClientPool(toOptions({ port: server.port }), { minimum: 1, maximum: 1, acquireTimeout: 30 }).on('error', () => {})
      t.teardown(() => pool.destroy())
      app.vitals.instrument(pool, { name: 'pool' })
      await pool.connect()
      let release = (): void => {}
      const released = new Promise<void>(resolve => { release = resolve })
      const holding = pool.execute(async client => {
        await client.set('a', '1')
        await released
      })
      await rejection(pool.get('a'))
      await rejection(pool.multi().get('a').lLen('b').exec())
      await rejection(pool.withTypeMapping({}).MULTI().lLen('b').get('a').execAsPipeline())
      release()
      await holding
      const counted = { 'set success': 1, 'other error': 1, 'get error': 2, 'llen error': 2 }
      t.same(await countedOperations(app, 'pool'), counted)
      const before = pool.multi()
      t.ok(before instanceof (pool as unknown as { Multi: new () => object }).Multi)
      app.vitals.uninstrument(pool)
      await pool.get('a')
      await before.get('a').exec()
      t.same(await countedOperations(app, 'pool'), counted)
    })

    await t.test('leaves the connection of a task that waited for it when the pool was left', async t => {
      const { app } = await open(t)
      const pool = library.createClientPool(toOptions({ port: server.port }), { minimum: 1, maximum: 1 })
      t.teardown(() => pool.destroy())
      await pool.connect()
      let release = (): void => {}
      const holding = pool.execute(() => new Promise<void>(resolve => { release = resolve }))
      app.vitals.instrument(pool, { name: 'left' })
      const waiting = pool.get('a')
      app.vitals.uninstrument(pool)
      release()
      await holding
      await waiting
      t.same(await countedOperations(app, 'left'), {})
      app.vitals.instrument(pool, { name: 'again' })
      await pool.set('a', '1')
      t.same(await countedOperations(app, 'again'), { 'set success': 1 })
    })

    await t.test('a pool is up as long as one of its connections is, whatever became of others', async t => {
      const { app } = await open(t)
      const pool = library.createClientPool(toOptions({ port: server.port }), { minimum: 1, maximum: 2, cleanupDelay: 1 }).on('error', () => {})
      t.teardown(() => pool.isOpen && pool.destroy())
      app.vitals.instrument(pool, { name: 'pool' })
      const health = async (): Promise<unknown> => {
        await app.vitals.render()
        return app.vitals.read('health_dependency_status', { dependency: 'pool' })
      }
      t.equal(await health(), 0)
      await pool.connect()
      await Promise.all([pool.get('a'), pool.get('a')])
      t.equal(await health(), 1)
      while (pool.totalClients > 1) await new Promise(resolve => setImmediate(resolve))
      t.equal(await health(), 1)
      pool.destroy()
      t.equal(await health(), 0)
    })

    await t.test('no key and no value reaches the log or a label, whatever fails', async t => {
      const client = library.createClient({ ...toOptions({ port: server.port }), database: 0, name: SECRET }).on('error', () => {}) as Client
      const { said, vitals } = await logged(t, client)
      await client.connect()
      const failing = (promise: Promise<unknown>): Promise<unknown> => promise.catch(() => {})
      for (const hostile of HOSTILE) {
        await client.set(hostile, hostile)
        await client.mGet([hostile, 'missing'])
        await client.hSet('hash', hostile, hostile)
        for (const promise of [
          client.multi().get(hostile).lPush(hostile, hostile).addCommand([hostile, hostile]).exec(),
          client.multi().get(hostile).lPush(hostile, hostile).execAsPipeline(),
          client.lPush(hostile, hostile),
          client.incr(hostile),
          client.sendCommand([hostile, hostile]),
          client.sendCommand(['set', hostile]),
          client.eval(`return redis.call('lpush', KEYS[1], '${hostile}')`, { keys: [hostile] }),
          client.eval(hostile),
          client.auth({ username: hostile, password: hostile }),
          client.publish(hostile, hostile)
        ]) await failing(promise)
      }
      const lost = failing(client.blPop(SECRET, 0))
      client.destroy()
      await Promise.all([lost, failing(client.get(SECRET))])
      t.ok((vitals.read('vitals_series_overflow_total', { metric: 'cache_operations_total' }) as number) > 0)
      const all = await said()
      t.match(all, /instrumented as \\"logged\\" already/, 'the log is there')
      t.notMatch(all, SECRET)
    })

    await t.test('a rejection that nobody handles stays one', async t => {
      const { client } = await open(t)
      await client.set('text', 'x')
      const unhandled = once(process, 'unhandledRejection')
      client.lPush('text', 'y')
      t.match((await unhandled)[0], { message: /WRONGTYPE/ })
    })
  })
}
