import { Cacheable } from 'cacheable'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { Keyv } from 'keyv'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import { cacheContract, rejection } from './cache-contract.ts'
import { countedOperations } from '../support/counted.ts'

const touched = ['get', 'getRaw', 'getMany', 'getManyRaw', 'set', 'setMany', 'has', 'hasMany', 'delete', 'deleteMany', 'clear']

cacheContract(t, {
  title: 'keyv 5',
  touched,
  open () {
    const keyv = new Keyv()
    return { client: keyv, get: key => keyv.get(key), set: (key, value) => keyv.set(key, value), close: () => keyv.disconnect() }
  }
})

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

t.test('keyv counts the calls of the application, not what they are made of', async t => {
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
    'has success': 3,
    'deletemany success': 1,
    'clear success': 1
  })
  t.equal(app.vitals.read('cache_hits_total', { cache_type: 'layer' }), 6)
  t.equal(app.vitals.read('cache_misses_total', { cache_type: 'layer' }), 2)
})

t.test('keyv with a store that fails, and one that has no size', async t => {
  const failing = { get: async () => { throw new Error('down') }, set: async () => { throw new Error('down') }, delete: async () => false, clear: async () => {}, hasMany: async () => [true] }
  const keyv = new Keyv({ store: failing, throwOnErrors: true, emitErrors: false })
  const { counted, size } = await instrumented(t, keyv)
  t.equal((await rejection(keyv.get('a'))).message, 'down')
  await rejection(keyv.set('a', 1))
  keyv.throwOnErrors = false
  t.equal(await keyv.set('a', 1), false)
  t.equal(await keyv.get('a'), undefined)
  t.same(await keyv.hasMany(['a']), [true])
  t.equal(await keyv.delete('a'), false)
  t.equal(await size(), undefined)
  t.same(await counted(), { 'get error': 1, 'set error': 2, 'get miss': 1, 'hasmany success': 1, 'delete success': 1 })
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
