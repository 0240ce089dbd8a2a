import KeyvRedis, { createKeyv } from '@keyv/redis'
import { Cacheable, CacheableMemory } from 'cacheable'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import * as keyv5 from 'keyv'
import * as keyv6 from 'keyv-6'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import { startRedis } from '../../support/redis-server.ts'
import { cacheContract, rejection } from './cache-contract.ts'
import { countedOperations } from '../support/counted.ts'

const { Keyv } = keyv5
type Library = Pick<typeof keyv5, 'Keyv'>
const libraries = { 'keyv 5': keyv5, 'keyv 6': keyv6 as unknown as Library }

const touched = ['get', 'getRaw', 'getMany', 'getManyRaw', 'set', 'setRaw', 'setMany', 'setManyRaw', 'has', 'hasMany', 'delete', 'deleteMany', 'clear']

for (const [title, { Keyv }] of Object.entries(libraries)) {
  cacheContract(t, {
    title,
    touched,
    open () {
      const keyv = new Keyv()
      return { client: keyv, get: key => keyv.get(key), set: (key, value) => keyv.set(key, value), close: () => keyv.disconnect() }
    }
  })
}

cacheContract(t, {
  title: 'cacheable 2',
  touched,
  open () {
    const cacheable = new Cacheable()
    return { client: cacheable, get: key => cacheable.get(key), set: (key, value) => cacheable.set(key, value), close: () => cacheable.disconnect() }
  }
})

async function instrumented (t: Test, client: object): Promise<{ app: FastifyInstance, counted (): Promise<Record<string, number>>, size (): Promise<unknown> }> {
  const app = fastify()
  await app.register(vitals, { enabled: true, endpoint: false })
  t.teardown(() => app.close())
  app.vitals.instrument(client, { name: 'layer' })
  return {
    app,
    counted: () => countedOperations(app, 'layer'),
    async size () {
      await app.vitals.render()
      return app.vitals.read('cache_size', { cache_type: 'layer' })
    }
  }
}

for (const [title, { Keyv }] of Object.entries(libraries)) {
  t.test(`${title} counts the calls of the application, not what they are made of`, async t => {
    const keyv = new Keyv({ store: new Map() })
    const { app, counted, size } = await instrumented(t, keyv)
    await keyv.setMany([{ key: 'a', value: 1 }, { key: 'b', value: 2 }])
    t.same(await keyv.getMany(['a', 'b', 'c']), [1, 2, undefined])
    t.same(await keyv.get(['a', 'b']), [1, 2])
    t.same((await keyv.getManyRaw(['a', 'c'])).map(raw => raw?.value), [1, undefined])
    t.equal((await keyv.getRaw('a'))?.value, 1)
    t.same(await keyv.hasMany(['a', 'c']), [true, false])
    t.same(await keyv.has(['a']), [true])
    t.equal(await size(), 2)
    await keyv.delete(['a'])
    await keyv.clear()
    t.equal(await size(), 0)
    t.same(await counted(), {
      'setmany success': 1,
      'getmany miss': 1,
      'getmany hit': 1,
      'getmanyraw miss': 1,
      'getraw hit': 1,
      // Version 5 asks a store without hasMany() for one key after the other.
      ...title === 'keyv 5' ? { 'has success': 3 } : { 'hasmany success': 2 },
      'deletemany success': 1,
      'clear success': 1
    })
    t.equal(app.vitals.read('cache_hits_total', { cache_type: 'layer' }), 6)
    t.equal(app.vitals.read('cache_misses_total', { cache_type: 'layer' }), 2)
  })

  t.test(`${title}: what the hooks of the application do counts as well`, async t => {
    const keyv = new Keyv()
    const { counted } = await instrumented(t, keyv)
    const inside: Promise<unknown>[] = []
    const ask = (): void => { inside.push(keyv.has('other')) }
    if (title === 'keyv 5') keyv.hooks.addHandler('preGet' as never, ask)
    else (keyv as unknown as keyv6.Keyv).onHook('before:get', ask)
    await keyv.get('a')
    await Promise.all(inside)
    t.same(await counted(), { 'get miss': 1, 'has success': 1 })
  })

  t.test(`${title} with methods of the application's own`, async t => {
    const keyv = Object.assign(new Keyv(), { get: () => 1, getMany: async () => undefined, clear () { throw new Error('not now') } })
    const { counted } = await instrumented(t, keyv)
    t.equal(keyv.get(), 1)
    t.equal(await keyv.getMany(), undefined)
    t.throws(() => keyv.clear(), { message: 'not now' })
    t.same(await counted(), { 'get hit': 1, 'getmany miss': 1, 'clear error': 1 })
  })

  t.test(`${title} on Redis is one cache, whose client may be another`, async t => {
    const server = await startRedis(t)
    const adapter = new KeyvRedis(`redis://127.0.0.1:${server.port}`)
    const keyv = new Keyv({ store: adapter, namespace: 'secret' })
    t.teardown(() => keyv.disconnect())
    const { app, counted, size } = await instrumented(t, keyv)
    t.throws(() => app.vitals.instrument(adapter, { name: 'layer' }), { code: 'FSV_ERR_UNKNOWN_CLIENT' })
    t.equal(await keyv.set('a', 1), true)
    t.equal(await keyv.get('a'), 1)
    t.equal(await keyv.get('b'), undefined)
    await keyv.setMany([{ key: 'c', value: 3 }])
    t.same(await keyv.getMany(['a', 'b']), [1, undefined])
    t.same(await keyv.hasMany(['a', 'b']), [true, false])
    t.equal(await size(), undefined)
    const once = { 'set success': 1, 'get hit': 1, 'get miss': 1, 'setmany success': 1, 'getmany miss': 1, 'hasmany success': 1 }
    t.same(await counted(), once)
    app.vitals.instrument(adapter.client, { name: 'redis' })
    await keyv.get('a')
    t.same(await counted(), { ...once, 'get hit': 2 })
    t.same(await countedOperations(app, 'redis'), { 'get hit': 1 })
    t.notMatch(await app.vitals.render(), /secret/)
  })
}

t.test('a keyv as @keyv/redis makes it, while its server is down', async t => {
  const server = await startRedis(t)
  const keyv = createKeyv({ url: `redis://127.0.0.1:${server.port}`, disableOfflineQueue: true, socket: { reconnectStrategy: false } }, { throwOnErrors: true })
  keyv.on('error', () => {})
  t.teardown(() => (keyv.store as KeyvRedis<unknown>).disconnect(true))
  const { counted } = await instrumented(t, keyv)
  await keyv.set('a', 1)
  await server.kill()
  const failed = (await Promise.allSettled([keyv.get('a'), keyv.set('a', 2)])).map(({ status }) => status)
  t.same(failed, ['rejected', 'rejected'])
  t.same(await counted(), { 'set success': 1, 'get error': 1, 'set error': 1 })
})

t.test('keyv 5 with a store that fails, and one that has no size', async t => {
  const failing = { get: async () => { throw new Error('down') }, set: async () => { throw new Error('down') }, delete: async () => false, clear: async () => {}, hasMany: async () => [true] }
  const keyv = new Keyv({ store: failing, throwOnErrors: true, emitErrors: false })
  const { counted, size } = await instrumented(t, keyv)
  t.equal((await rejection(keyv.get('a'))).message, 'down')
  await rejection(keyv.set('a', 1))
  keyv.throwOnErrors = false
  t.equal(await keyv.set('a', 1), false)
  t.same(await keyv.setMany([{ key: 'a', value: 1 }]), [false])
  t.equal(await keyv.get('a'), undefined)
  t.same(await keyv.hasMany(['a']), [true])
  t.equal(await keyv.delete('a'), false)
  t.equal(await size(), undefined)
  t.same(await counted(), { 'get error': 1, 'set error': 2, 'setmany error': 1, 'get miss': 1, 'hasmany success': 1, 'delete success': 1 })
})

t.test('keyv 6 with a store that fails, and one that knows no hasMany()', async t => {
  const fail = async (): Promise<never> => { throw new Error('down') }
  const failing = { capabilities: { expires: true }, get: fail, set: fail, setMany: fail, delete: fail, clear: fail }
  const keyv = new keyv6.Keyv({ store: failing as never })
  const { counted, size } = await instrumented(t, keyv)
  t.equal((await rejection(keyv.get('a'))).message, 'down')
  t.equal((await rejection(keyv.hasMany(['a']))).message, 'down')
  keyv.on('error', () => {})
  t.equal(await keyv.get('a'), undefined)
  t.equal(await keyv.set('a', 1), false)
  t.equal(await keyv.setRaw('a', { value: 1 }), false)
  t.same(await keyv.setMany([{ key: 'a', value: 1 }]), [false])
  t.same(await keyv.setManyRaw([{ key: 'a', value: { value: 1 } }]), [false])
  t.equal(await keyv.delete('a'), false)
  t.equal(await size(), undefined)
  t.same(await counted(), {
    'get error': 1,
    'hasmany error': 1,
    'get miss': 1,
    'set error': 1,
    'setraw error': 1,
    'setmany error': 1,
    'setmanyraw error': 1,
    'delete success': 1
  })
})

t.test('what only looks like a keyv is refused', async t => {
  const { app } = await instrumented(t, new Keyv())
  for (const wrong of [new CacheableMemory(), new keyv6.KeyvMemoryAdapter(new Map()), new keyv6.KeyvBridgeAdapter(new Map() as never)]) {
    t.throws(() => app.vitals.instrument(wrong, { name: 'wrong' }), { code: 'FSV_ERR_UNKNOWN_CLIENT' })
  }
})

t.test('cacheable counts what it is asked, whatever its stores do', async t => {
  const cacheable = new Cacheable({ secondary: new Keyv() })
  const { counted, size } = await instrumented(t, cacheable)
  await cacheable.setMany([{ key: 'a', value: 1 }, { key: 'b', value: 2 }])
  t.same(await cacheable.getMany(['a', 'c']), [1, undefined])
  t.equal(await cacheable.getOrSet('d', async () => 4), 4)
  t.equal(await cacheable.take('a'), 1)
  t.same(await cacheable.hasMany(['b', 'c']), [true, false])
  t.equal(await size(), 2)
  t.same(await counted(), {
    'setmany success': 1,
    'getmany miss': 1,
    'get miss': 1,
    'set success': 1,
    'get hit': 1,
    'delete success': 1,
    'hasmany success': 1
  })
})
