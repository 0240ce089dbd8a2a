import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import * as eleven from 'lru-cache'
import * as ten from 'lru-cache-10'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import { cacheContract, rejection } from './cache-contract.ts'
import { countedOperations } from '../support/counted.ts'

type Library = Pick<typeof eleven, 'LRUCache'>
type Value = string | number
type Options = eleven.LRUCache.Options<string, Value, unknown>
const libraries = { 'lru-cache 11': eleven, 'lru-cache 10': ten as unknown as Library }
const touched = ['get', 'set', 'peek', 'has', 'delete', 'clear', 'pop', 'purgeStale', 'memo', 'fetch', 'forceFetch']

for (const [title, { LRUCache }] of Object.entries(libraries)) {
  cacheContract(t, {
    title,
    touched,
    open () {
      const cache = new LRUCache<string, string>({ max: 20_000 })
      return { client: cache, get: async key => cache.get(key), set: async (key, value) => cache.set(key, value) === cache, close: async () => cache.clear() }
    }
  })

  t.test(`${title}: what is special`, async t => {
    interface Opened { cache: eleven.LRUCache<string, Value, unknown>, app: FastifyInstance, counted (): Promise<Record<string, number>>, evictions (): number, size (): Promise<unknown> }

    async function open (t: Test, options: object): Promise<Opened> {
      const cache = new LRUCache<string, Value, unknown>(options as Options)
      const app = fastify()
      await app.register(vitals, { enabled: true, endpoint: false })
      t.teardown(() => app.close())
      t.equal(app.vitals.instrument(cache, { name: 'lru' }), cache)
      return {
        cache,
        app,
        counted: () => countedOperations(app, 'lru'),
        evictions: () => app.vitals.read('cache_evictions_total', { cache_type: 'lru' }) as number | undefined ?? 0,
        async size () {
          await app.vitals.render()
          return app.vitals.read('cache_size', { cache_type: 'lru' })
        }
      }
    }

    await t.test('evictions for want of room, and the size', async t => {
      const { cache, counted, evictions, size } = await open(t, { max: 3 })
      for (const key of ['a', 'b', 'c', 'a', 'd', 'e']) cache.set(key, 1)
      t.equal(evictions(), 2)
      t.equal(await size(), 3)
      cache.set('e', undefined)
      t.ok(cache.has('d'))
      t.equal(cache.peek('a'), 1)
      t.equal(cache.peek('b'), undefined)
      t.ok(cache.delete('d'))
      t.equal(cache.pop(), 1)
      cache.clear()
      t.equal(evictions(), 2)
      t.equal(await size(), 0)
      t.same(await counted(), { 'set success': 6, 'has success': 1, 'peek hit': 1, 'peek miss': 1, 'delete success': 2, 'pop success': 1, 'clear success': 1 })
    })

    await t.test('evictions by size, and values that are too large or wrong', async t => {
      const { cache, counted, evictions } = await open(t, { maxSize: 10, sizeCalculation: (value: unknown) => value })
      for (const key of ['a', 'b', 'c']) cache.set(key, 3)
      cache.set('d', 8)
      t.equal(evictions(), 3)
      cache.set('e', 11)
      t.throws(() => cache.set('f', 'wrong'), TypeError)
      t.same(await counted(), { 'set success': 5, 'set error': 1 })
      t.equal(evictions(), 3)
    })

    await t.test('evictions by a value that grows, and by one that is there already', async t => {
      const { cache, counted, evictions } = await open(t, { maxSize: 10, sizeCalculation: (value: unknown) => value })
      for (const key of ['a', 'b', 'c']) cache.set(key, 3)
      cache.set('c', 3)
      t.equal(evictions(), 0)
      cache.set('c', 8)
      t.equal(evictions(), 2, 'the others made room')
      cache.set('c', 11)
      t.equal(cache.size, 0)
      t.equal(evictions(), 2, 'what does not fit is given up by itself')
      t.same(await counted(), { 'set success': 6 })
    })

    await t.test('errors of the functions that the application gave', async t => {
      let isAngry = false
      const { cache, counted } = await open(t, { max: 2, ttl: 10, dispose () { if (isAngry) throw new Error('not now') } })
      cache.set('a', 1)
      cache.set('b', 1, { start: performance.now() - 1_000 })
      isAngry = true
      t.throws(() => cache.get('b'), { message: 'not now' })
      t.throws(() => cache.delete('a'), { message: 'not now' })
      t.same(await counted(), { 'set success': 2, 'get error': 1, 'delete error': 1 })
    })

    await t.test('evictions at the end of a fetch', async t => {
      const { cache, counted, evictions } = await open(t, { maxSize: 10, sizeCalculation: (value: unknown) => value, fetchMethod: async (key: string) => Number(key) })
      for (const key of ['a', 'b', 'c']) cache.set(key, 3)
      t.equal(await cache.fetch('4'), 4)
      t.same([...cache.keys()], ['4', 'c', 'b'])
      t.equal(evictions(), 1)
      const fetching = cache.fetch('8')
      t.equal(evictions(), title === 'lru-cache 11' ? 2 : 1, 'version 11 gives a fetch the size of one')
      t.equal(await fetching, 8)
      t.same([...cache.keys()], ['8'])
      t.equal(evictions(), 4)
      t.equal(await cache.fetch('11'), 11)
      t.equal(evictions(), 4, 'what does not fit makes no room')
      t.same(await counted(), { 'set success': 3, 'fetch miss': 3 })
    })

    await t.test('a value that is set while it is fetched takes the place of the fetch', async t => {
      const { cache, counted, evictions } = await open(t, { max: 2, fetchMethod: () => new Promise(() => {}) })
      cache.set('a', 1)
      cache.fetch('b').catch(() => {})
      cache.set('b', 2)
      t.same([...cache.keys()], ['b', 'a'])
      t.equal(evictions(), 0)
      t.same(await counted(), { 'set success': 2 })
    })

    await t.test('entries that the cache removes by itself when their time is over', async t => {
      const { cache, counted, evictions, size } = await open(t, {
        ttl: 10,
        ttlAutopurge: true,
        fetchMethod: async (key: string) => {
          if (key === 'bad') throw new Error('no such thing')
          return key === 'nothing' ? undefined : 1
        },
        dispose: () => { cache.has('anything') }
      })
      const purged = async (): Promise<void> => { while (cache.size > 0) await new Promise(resolve => setTimeout(resolve, 1)) }
      // Version 10 looks only once, and must find it too old then.
      const setOld = (key: string): unknown => cache.set(key, 1, { start: performance.now() - 1_000 })
      for (const key of ['a', 'b', 'c']) setOld(key)
      cache.delete('c')
      await purged()
      t.equal(await size(), 0)
      t.equal(evictions(), 2, 'told by a scrape')
      setOld('a')
      await purged()
      t.equal(cache.get('a'), undefined)
      t.equal(evictions(), 3, 'told by what is done next')
      await rejection(cache.fetch('bad'))
      t.equal(await cache.fetch('nothing'), undefined)
      cache.load([['d', { value: 1 }], ['e', { value: 1, ttl: 10_000 }]])
      cache.clear()
      t.equal(await size(), 0)
      t.equal(evictions(), 3, 'what else takes entries away is no eviction')
      const status: eleven.LRUCache.Status<string, Value, unknown> = {} as never
      await rejection(cache.fetch('bad', { status } as never))
      t.equal(await cache.fetch('nothing', { status } as never), undefined)
      t.equal(await cache.fetch('f', { ttl: 10_000 }), 1)
      cache.delete('f')
      t.equal(evictions(), 3)
      setOld('g')
      await purged()
      t.equal(await size(), 0)
      t.equal(evictions(), 4)
      const after = await counted()
      // Version 10 loads by its own public methods.
      t.equal(after['clear success'], 2)
      t.equal(after['fetch miss'], 3)
      t.equal(after['fetch error'], 2)
    })

    await t.test('entries whose time is over', async t => {
      const { cache, counted, evictions } = await open(t, { max: 10, ttl: 10 })
      for (const key of ['a', 'b', 'c']) cache.set(key, 1, { start: performance.now() - 1_000 })
      t.equal(cache.get('a'), undefined)
      t.equal(evictions(), 1)
      t.equal(cache.get('b', { allowStale: true }), 1)
      t.equal(evictions(), 2)
      t.ok(cache.purgeStale())
      t.equal(evictions(), 3)
      t.same(await counted(), { 'set success': 3, 'get miss': 1, 'get hit': 1, 'purgestale success': 1 })
    })

    await t.test('fetches, with what they write themselves', async t => {
      const { cache, counted, evictions } = await open(t, {
        max: 2,
        fetchMethod: async (key: string) => {
          if (key === 'bad') throw new Error('no such thing')
          return key === 'nothing' ? undefined : `${key}!`
        }
      })
      t.equal(await cache.fetch('a'), 'a!')
      t.equal(await cache.fetch('a'), 'a!')
      t.equal(await cache.fetch('a', { forceRefresh: true }), 'a!')
      t.equal((await rejection(cache.fetch('bad'))).message, 'no such thing')
      const status: eleven.LRUCache.Status<string, Value, unknown> = {} as never
      t.equal(await cache.fetch('b', { status } as never), 'b!')
      t.equal(status.fetch, 'miss')
      t.equal(evictions(), 0)
      t.equal(await cache.fetch('c'), 'c!')
      t.equal(evictions(), 1)
      t.equal(await cache.forceFetch('c'), 'c!')
      const after = await counted()
      // Where the application reads the status itself, version 10 shows what it writes.
      delete after['set success']
      t.same(after, { 'fetch miss': 4, 'fetch hit': 1, 'fetch error': 1, 'forcefetch hit': 1 })
    })

    await t.test('what the library writes down can be read', async t => {
      let status: Record<string, unknown> = {}
      const { cache } = await open(t, {
        max: 2,
        fetchMethod: async (_key: string, _stale: unknown, { options }: { options: { status: Record<string, unknown> } }) => {
          status = options.status
          t.equal(status['fetchUpdated'], undefined)
          return 1
        }
      })
      await cache.fetch('a')
      t.match(status, { fetchDispatched: true, fetchResolved: true, fetchUpdated: true, fetch: 'miss', set: /add|replace/ })
      t.ok(Object.keys(status).includes('fetchUpdated'))
    })

    await t.test('a fetch without a method is a read', async t => {
      const { cache, counted } = await open(t, { max: 2 })
      cache.set('a', 1)
      t.equal(await cache.fetch('a'), 1)
      t.equal(await cache.fetch('b'), undefined)
      t.same(await counted(), { 'set success': 1, 'fetch hit': 1, 'fetch miss': 1 })
    })

    await t.test('options that are none, as the library takes them', async t => {
      const options = { max: 2, fetchMethod: (key: string) => key, memoMethod: (key: string) => key }
      // With a text, a fetch of version 10 never ends.
      for (const wrong of (title === 'lru-cache 11' ? [null, 'text', 7] : [null]) as never[]) {
        const calls: ((cache: Opened['cache']) => unknown)[] = [cache => cache.fetch('a', wrong), cache => cache.forceFetch('a', wrong), cache => cache.memo('b', wrong), cache => cache.set('c', 1, wrong), cache => cache.get('c', wrong)]
        for (const call of calls) {
          const outcomeOf = async (cache: Opened['cache']): Promise<unknown> => {
            try {
              const value = await call(cache)
              return value === cache ? 'itself' : value
            } catch (error) {
              return String(error)
            }
          }
          const { cache } = await open(t, options)
          const bare = new LRUCache<string, Value, unknown>(options as Options)
          t.equal(await outcomeOf(cache), await outcomeOf(bare), `${String(call)} ${String(wrong)}`)
        }
      }
    })

    await t.test('memos, with what they read and write themselves', async t => {
      const { cache, counted, evictions } = await open(t, {
        max: 2,
        memoMethod: (key: string) => {
          if (key === 'bad') throw new Error('no such thing')
          return `${key}!`
        }
      })
      t.equal(cache.memo('a'), 'a!')
      t.equal(cache.memo('a'), 'a!')
      t.throws(() => cache.memo('bad'), { message: 'no such thing' })
      cache.memo('b')
      cache.memo('c')
      t.equal(evictions(), 1)
      t.same(await counted(), { 'memo miss': 3, 'memo hit': 1, 'memo error': 1 })
    })

    await t.test('memos that are made anew, that are nothing, that are too large, that are old', async t => {
      const { cache, counted, evictions } = await open(t, { max: 4, maxSize: 10, sizeCalculation: (value: unknown) => value, memoMethod: (key: string) => key === 'nothing' ? undefined : Number(key) })
      t.equal(cache.memo('1'), 1)
      t.equal(cache.memo('1', { forceRefresh: true }), 1)
      t.equal(cache.memo('nothing'), undefined)
      t.equal(cache.memo('11'), 11)
      t.equal(evictions(), 0)
      cache.set('2', 2, { ttl: 1, start: performance.now() - 1_000 })
      t.equal(cache.memo('2', { allowStale: true, noDeleteOnStaleGet: true }), 2)
      t.equal(cache.memo('2'), 2)
      t.equal(evictions(), 0, 'an entry that is renewed is none that is given up')
      t.equal(cache.memo('8'), 8)
      t.equal(evictions(), 1)
      t.same(await counted(), { 'set success': 1, 'memo miss': 6, 'memo hit': 1 })
    })

    await t.test('memos that are made of others', async t => {
      const { cache, counted, evictions } = await open(t, { max: 3, memoMethod: (key: string): number => key.length < 2 ? 1 : 1 + Number(cache.memo(key.slice(1))) })
      cache.set('other', 1)
      t.equal(cache.memo('aaaa'), 4)
      t.same([...cache.keys()], ['aaaa', 'aaa', 'aa'])
      t.equal(evictions(), 2)
      t.equal(cache.memo('aaa'), 3)
      t.same(await counted(), { 'set success': 1, 'memo miss': 4, 'memo hit': 1 })
    })
  })
}
