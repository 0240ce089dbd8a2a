import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import KeyvRedis from '@keyv/redis'
import { Cacheable, CacheableEvents, CacheableHooks } from 'cacheable'
import fastify from 'fastify'
import * as ioredis6 from 'ioredis'
import * as ioredis5 from 'ioredis-5'
import { Keyv } from 'keyv'
import * as keyv6 from 'keyv-6'
import * as lru11 from 'lru-cache'
import * as lru10 from 'lru-cache-10'
import * as redis6 from 'redis'
import * as redis5 from 'redis-5'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import { startRedis } from '../../support/redis-server.ts'

const server = await startRedis(t)

/** Runs what a library's README shows, bare and instrumented, and compares what comes of it. */
async function compare<C extends object> (t: Test, open: () => Promise<C>, examples: (client: C) => Promise<unknown[]>, close: (client: C) => unknown): Promise<void> {
  const run = async (instrument: (client: C) => C): Promise<unknown[]> => {
    await server.run('FLUSHALL')
    const client = await open()
    try {
      return await examples(instrument(client))
    } finally {
      await close(client)
    }
  }
  const app = fastify()
  await app.register(vitals, { enabled: true, endpoint: false })
  t.teardown(() => app.close())
  const bare = await run(client => client)
  t.same(await run(client => app.vitals.instrument(client, { name: 'example' })), bare)
  t.match(await app.vitals.render(), /^cache_operations_total\{cache_type="example"/m)
}

async function all<T> (values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const value of values) list.push(value)
  return list
}

for (const [title, { Redis }] of Object.entries({ 'ioredis 6': ioredis6, 'ioredis 5': ioredis5 as unknown as Pick<typeof ioredis6, 'Redis'> })) {
  t.test(`${title}: its README`, t => compare(t, async () => new Redis(server.port, '127.0.0.1'), async redis => {
    const seen: unknown[] = []
    seen.push(redis.status === 'ready', redis.constructor.name, redis.sendCommand.length)
    redis.set('mykey', 'value')
    await new Promise<void>(resolve => {
      redis.get('mykey', (error, result) => {
        seen.push(error, result)
        resolve()
      })
    })
    seen.push(await redis.zadd('sortedSet', 1, 'one', 2, 'dos', 4, 'quatro', 3, 'three'), await redis.zrange('sortedSet', '0', '2', 'WITHSCORES'))
    seen.push(await redis.set('mykey', 'hello', 'EX', 10), await redis.sadd('set', [1, 3, 5, 7] as unknown as string[]), await redis.del('set'))
    const subscriber = redis.duplicate()
    seen.push(await subscriber.subscribe('news', 'music'))
    const message = once(subscriber, 'message')
    seen.push(await redis.publish('news', 'hello'), await message)
    subscriber.disconnect()
    seen.push(await redis.xadd('mystream', '1-1', 'name', 'John'), await redis.call('XREAD', 'BLOCK', '10', 'STREAMS', 'mystream', '0'))
    await redis.set('foo', Buffer.from([0x62, 0x75, 0x66]))
    seen.push(await redis.getBuffer('foo'))
    seen.push(await redis.pipeline().set('foo', 'bar').del('cc').exec())
    seen.push(await new Promise(resolve => redis.pipeline([['set', 'foo', 'bar'], ['get', 'foo']]).exec((error, results) => resolve([error, results]))))
    seen.push(await redis.pipeline().set('foo', 'bar').get('foo', (error, result) => seen.push(error, result)).exec())
    seen.push(await redis.multi().set('foo', 'bar').get('foo').exec())
    redis.multi({ pipeline: false })
    redis.set('foo', 'bar')
    redis.get('foo')
    seen.push(await redis.exec())
    seen.push(await redis.pipeline([['get', 'foo'], ['multi'], ['set', 'foo', 'bar'], ['get', 'foo'], ['exec'], ['get', 'foo']]).exec())
    redis.defineCommand('myecho', { numberOfKeys: 2, lua: 'return {KEYS[1],KEYS[2],ARGV[1],ARGV[2]}' })
    const scripted = redis as unknown as { myecho (...args: string[]): Promise<unknown>, myechoBuffer (...args: string[]): Promise<unknown> }
    seen.push(await scripted.myecho('k1', 'k2', 'a1', 'a2'), await scripted.myechoBuffer('k1', 'k2', 'a1', 'a2'))
    seen.push(await redis.hset('user', { name: 'Bob', age: 20 }), await redis.hgetall('user'), await redis.hgetall('nobody'))
    seen.push((await all(redis.scanStream({ match: 'user*' }))).flat())
    seen.push(await redis.call('GET', 'foo'), await redis.get('a', 'b' as never).catch((error: Error) => [error.name, error.message]))
    return seen
  }, redis => redis.quit()))
}

for (const [title, { createClient }] of Object.entries({ 'redis 6': redis6, 'redis 5': redis5 as unknown as Pick<typeof redis6, 'createClient'> })) {
  t.test(`${title}: its README`, t => compare(t, async () => await createClient({ url: `redis://127.0.0.1:${server.port}` }).on('error', () => {}).connect(), async client => {
    const seen: unknown[] = []
    seen.push(client.isOpen, client.isReady, client.sendCommand.length)
    seen.push(await client.set('key', 'value'), await client.get('key'), await client.get('key2'))
    seen.push(await client.set('key', 'value', { EX: 10, NX: true }))
    seen.push(await client.hSet('user-session:123', { name: 'John', surname: 'Smith' }), { ...await client.hGetAll('user-session:123') })
    seen.push(await client.sendCommand(['SET', 'key', 'value', 'NX']), await client.HGETALL('key2'))
    seen.push(await client.set('another-key', 'another-value'), await client.multi().set('key', 'value').get('another-key').exec())
    seen.push(await Promise.all([client.set('Tm9kZSBSZWRpcw==', 'users:1'), client.sAdd('users:1:tokens', 'Tm9kZSBSZWRpcw==')]))
    seen.push((await all(client.scanIterator({ MATCH: 'user*' }))).flat().sort())
    const subscriber = await client.duplicate().connect()
    const message = new Promise(resolve => subscriber.subscribe('channel', resolve))
    while (await client.publish('channel', 'message') === 0);
    seen.push(await message)
    subscriber.destroy()
    const pool = client.createPool()
    await pool.connect()
    const popped = pool.blPop('list', 0)
    seen.push(await client.lPush('list', ['1', '2']) > 0, await popped)
    await pool.close()
    seen.push(await client.eval('return {KEYS[1],ARGV[1]}', { keys: ['k'], arguments: ['a'] }))
    seen.push(await client.lPush('key', 'x').catch((error: Error) => [error.constructor.name, error.message]))
    return seen
  }, client => client.close()))
}

for (const [title, { LRUCache }] of Object.entries({ 'lru-cache 11': lru11, 'lru-cache 10': lru10 as unknown as Pick<typeof lru11, 'LRUCache'> })) {
  t.test(`${title}: its README`, async t => {
    const disposed: unknown[] = []
    await compare(t, async () => new LRUCache<object | string, string>({
      max: 500,
      maxSize: 5000,
      sizeCalculation: () => 1,
      dispose: (value, key, reason) => { disposed.push([value, key, reason]) },
      ttl: 1000 * 60 * 5,
      allowStale: false,
      fetchMethod: async (key, staleValue, { options }) => {
        await setTimeout(1)
        return `${String(key)} ${String(staleValue)} ${Object.keys(options).sort().join()}`
      },
      memoMethod: key => `memo of ${String(key)}`
    }), async cache => {
      const someObject = {}
      const seen: unknown[] = [cache.set('key', 'value') === cache, cache.get('key'), cache.set(someObject, 'a value').set({}, 'another') === cache, cache.get(someObject), cache.get({})]
      seen.push(await cache.fetch('fetched'), cache.get('fetched'), cache.memo('memo'), cache.memo('memo'), cache.has('key'), cache.peek('key'))
      seen.push(cache.size, cache.calculatedSize, cache.max, [...cache.keys()].length, cache.info('key')?.value, cache.find(value => value === 'value'))
      cache.load(cache.dump())
      seen.push(cache.delete('key'), cache.pop(), cache.purgeStale(), cache.clear(), cache.get('x'), disposed.splice(0))
      return seen
    }, () => {})
  })
}

t.test('keyv: its README', t => compare(t, async () => new Keyv<unknown>({ namespace: 'users', stats: true }), async keyv => {
  const seen: unknown[] = []
  keyv.hooks.addHandler('postSet' as never, ({ key }: { key: string }) => { seen.push(key) })
  seen.push(await keyv.set('foo', 'expires in 1 second', 1000), await keyv.set('foo', 'never expires'), await keyv.get('foo'), await keyv.delete('foo'), await keyv.get('foo'))
  await keyv.set('bar', { some: 'object' })
  seen.push(await keyv.get(['bar', 'foo']), await keyv.get('bar', { raw: true }), await keyv.has('bar'), await keyv.clear(), { ...keyv.stats, _eventListeners: undefined })
  seen.push(await keyv.set('wrong', Symbol('x')).catch((error: Error) => error.message))
  return seen
}, () => {}))

t.test('keyv 6: its README', t => compare(t, async () => new keyv6.Keyv<unknown>({ stats: true }), async keyv => {
  const seen: unknown[] = []
  keyv.on('error', (error: unknown) => { seen.push(String(error)) })
  keyv.on('clear', () => { seen.push('Cache Cleared') })
  keyv.onHook(keyv6.KeyvHooks.BEFORE_SET, (data: { key: string, value: unknown }) => {
    data.key = `prefix-${data.key}`
    data.value = `prefix-${String(data.value)}`
  })
  keyv.onHook(keyv6.KeyvHooks.AFTER_GET, ({ key, value }: { key: string, value: unknown }) => { seen.push(key, value === undefined) })
  seen.push(await keyv.set('foo', 'expires in 1 second', 1000), await keyv.get('prefix-foo'), await keyv.get('foo'), await keyv.delete('prefix-foo'))
  seen.push(await keyv.setMany([{ key: 'foo', value: 'bar' }, { key: 'baz', value: 'qux' }]), await keyv.getMany(['foo', 'baz', 'none']), await keyv.has('foo'), await keyv.hasMany(['foo', 'none']))
  seen.push(await keyv.getRaw('foo'), await keyv.getManyRaw(['foo', 'none']), await keyv.setRaw('raw', { value: 1 }), await keyv.setManyRaw([{ key: 'more', value: { value: 2 } }]))
  seen.push(await all(keyv.iterator()), await keyv.deleteMany(['foo', 'baz']), await keyv.clear(), await keyv.set('wrong', Symbol('x')), keyv.stats.hits, keyv.stats.misses, keyv.stats.errors)
  return seen
}, keyv => keyv.disconnect()))

for (const [title, Library] of Object.entries({ 'keyv 5': Keyv, 'keyv 6': keyv6.Keyv as unknown as typeof Keyv })) {
  t.test(`${title} on @keyv/redis: their README`, t => compare(t, async () => new Library({ store: new KeyvRedis(`redis://127.0.0.1:${server.port}`), namespace: 'users' }), async users => {
    const cache = new Library({ store: new KeyvRedis(`redis://127.0.0.1:${server.port}`), namespace: 'cache' })
    const seen: unknown[] = [await users.set('foo', 'expires in 1 second', 1000), await users.set('foo', 'users'), await cache.set('foo', 'cache'), await users.get('foo'), await cache.get('foo')]
    seen.push(await users.delete('foo'), await users.clear(), await users.get('foo'), await cache.get('foo'))
    await cache.disconnect()
    return seen
  }, keyv => keyv.disconnect()))
}

t.test('cacheable: its README', t => compare(t, async () => new Cacheable({ secondary: new KeyvRedis(`redis://127.0.0.1:${server.port}`) }), async cache => {
  const heard: unknown[] = []
  cache.onHook(CacheableHooks.BEFORE_SET, (data: { ttl?: unknown }) => { data.ttl = { primary: '10s', secondary: '5m' } })
  cache.on(CacheableEvents.CACHE_HIT, (data: { key: string, store: string }) => { heard.push('hit', data.key, data.store) })
  cache.on(CacheableEvents.CACHE_MISS, (data: { key: string, store: string }) => { heard.push('miss', data.key, data.store) })
  const seen: unknown[] = [heard, await cache.setMany([{ key: 'user:1', value: 'Alice' }, { key: 'user:2', value: 'Bob' }]), await cache.hasMany(['user:1', 'user:3']), await cache.deleteMany(['user:1', 'user:2']), await cache.set('key', 'value', '1h'), await cache.get('key'), await cache.getMany(['key', 'none']), await cache.has('key')]
  const wrapped = cache.wrap(async (value: number) => value * 2, { ttl: '1h', keyPrefix: 'double' })
  seen.push(await wrapped(2), await wrapped(2), await cache.getOrSet('lazy', async () => 'made'), await cache.take('key'), await cache.get('key'), await cache.delete('lazy'), await cache.clear())
  return seen
}, cache => cache.disconnect()))
