import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import * as ioredis6 from 'ioredis'
import * as ioredis5 from 'ioredis-5'
import * as redis6 from 'redis'
import * as redis5 from 'redis-5'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import { rejection } from './cache-contract.ts'
import { isCollected } from '../../support/garbage.ts'
import type { RedisServer } from '../../support/redis-server.ts'
import { MASTER, startSentinel } from './support/redis-sentinel.ts'
import { countedOperations } from '../support/counted.ts'

const sentinel = await startSentinel(t)

type Sentinel = ReturnType<typeof redis6.createSentinel>

interface Readers {
  readonly app: FastifyInstance
  counted (): Promise<Record<string, number>>
  health (): Promise<unknown>
}

async function instrument (t: Test, client: object): Promise<Readers> {
  const app = fastify()
  await app.register(vitals, { enabled: true, endpoint: false })
  t.teardown(() => app.close())
  t.equal(app.vitals.instrument(client, { name: 'watched' }), client)
  return {
    app,
    counted: () => countedOperations(app, 'watched'),
    async health () {
      await app.vitals.render()
      return app.vitals.read('health_dependency_status', { dependency: 'watched' })
    }
  }
}

type NodeRedis = Pick<typeof redis6, 'createSentinel'>
const nodeRedis: Record<string, NodeRedis> = { 'redis 6': redis6, 'redis 5': redis5 as unknown as NodeRedis }
type Ioredis = Pick<typeof ioredis6, 'Redis'>
const ioredis: Record<string, Ioredis> = { 'ioredis 6': ioredis6, 'ioredis 5': ioredis5 as unknown as Ioredis }

function openNodeRedis (t: Test, { createSentinel }: NodeRedis, options: object = {}): Sentinel {
  const client = createSentinel({ name: MASTER, sentinelRootNodes: [{ host: '127.0.0.1', port: sentinel.port }], maxCommandRediscovers: 30, ...options }) as Sentinel
  t.teardown(async () => { if (client.isOpen) await client.destroy() })
  return client.on('error', () => {})
}

function openIoredis (t: Test, { Redis }: Ioredis): ioredis6.Redis {
  const client = new Redis({
    sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
    name: MASTER,
    maxRetriesPerRequest: null,
    failoverDetector: true,
    sentinelRetryStrategy: () => 50,
    retryStrategy: () => 50
  })
  t.teardown(() => client.disconnect())
  return client.on('error', () => {})
}

for (const [title, library] of Object.entries(nodeRedis)) {
  t.test(`${title} with a sentinel`, async t => {
    const open = (options: object = {}): Sentinel => openNodeRedis(t, library, options)

    await t.test('counts commands, transactions, pipelines and leases, each once', async t => {
      const client = open()
      const { counted, health } = await instrument(t, client)
      t.equal(await health(), 0)
      await client.connect()
      t.equal(await health(), 1)
      t.equal(await client.set('a', '1'), 'OK')
      t.equal(await client.get('a'), '1')
      t.equal(await client.get('missing'), null)
      t.equal(await client.withCommandOptions({}).get('a'), '1')
      t.equal(await client.sendCommand(false, ['GET', 'a']), '1')
      t.match(await rejection(client.lPush('a', 'x')), { message: /WRONGTYPE/ })
      t.same(await client.multi().set('b', '1').get('b').exec(), ['OK', '1'])
      t.same(await client.multi().get('b').get('missing').execAsPipeline(), ['1', null])
      t.equal(await client.use(async lease => {
        await lease.watch('b')
        return (await lease.multi().get('b').exec())[0]
      }), '1')
      const lease = await client.acquire()
      t.equal(await lease.get('b'), '1')
      await lease.release()
      t.match(await rejection(lease.get('b')), { message: /released/ })
      t.same(await counted(), {
        'set success': 2,
        'get hit': 7,
        'get miss': 2,
        'lpush error': 1,
        'watch success': 1,
        'other error': 1
      })
    })

    await t.test('a pipeline of which a command fails, and no other one', async t => {
      const client = open()
      const { counted } = await instrument(t, client)
      await client.connect()
      await client.set('text', 'x')
      await rejection(client.multi().get('text').lPush('text', 'y').execAsPipeline())
      t.same(await counted(), { 'set success': 1, 'get hit': 1, 'lpush error': 1 })
    })

    await t.test('a pipeline that is sent again because its connection was lost, once', async t => {
      const client = open()
      const { counted } = await instrument(t, client)
      await client.connect()
      const running = rejection(client.multi().set('text', 'x').get('text').blPop('awaited', 0).lPush('text', 'y').get('text').execAsPipeline())
      await sentinel.isBlocking()
      await sentinel.runAtMaster('CLIENT KILL TYPE normal')
      await sentinel.isBlocking()
      t.same(await counted(), {})
      await sentinel.runAtMaster('RPUSH awaited value')
      t.match(await running, { message: /WRONGTYPE/ })
      t.same(await counted(), { 'set success': 1, 'get hit': 2, 'blpop success': 1, 'lpush error': 1 })
    })

    await t.test('what finds no connection: each command of a transaction, of a pipeline and of a subscription', async t => {
      const client = open()
      const { app, counted } = await instrument(t, client)
      for (const batch of [() => client.multi().get('a').set('b', '1').exec(), () => client.multi().get('a').set('b', '1').execAsPipeline()]) await rejection(batch())
      await rejection(client.subscribe('channel', () => {}))
      await rejection(client.get('a'))
      t.same(await counted(), { 'get error': 2, 'set error': 2, 'subscribe error': 1, 'other error': 1 })
      await client.connect()
      const lease = await client.acquire()
      await lease.release()
      for (const batch of [() => lease.multi().get('a').set('b', '1').exec(), () => lease.multi().get('a').set('b', '1').execAsPipeline()]) await rejection(batch())
      t.same(await counted(), { 'get error': 4, 'set error': 4, 'subscribe error': 1, 'other error': 1 })
      t.ok(app.vitals.uninstrument(client))
      await rejection(lease.multi().get('a').exec())
      t.same(await counted(), { 'get error': 4, 'set error': 4, 'subscribe error': 1, 'other error': 1 })
    })

    await t.test('subscriptions', async t => {
      const client = open()
      const { counted } = await instrument(t, client)
      await client.connect()
      let hear = (_message: string): void => {}
      const heard = new Promise<string>(resolve => { hear = resolve })
      await client.subscribe('channel', message => hear(message))
      await client.publish('channel', 'message')
      t.equal(await heard, 'message')
      await client.pSubscribe('chan*', () => {})
      await client.pUnsubscribe('chan*')
      await client.unsubscribe('channel')
      t.same(await counted(), { 'subscribe success': 1, 'publish success': 1, 'psubscribe success': 1, 'punsubscribe success': 1, 'unsubscribe success': 1 })
    })

    await t.test('reads from replicas, which refuse to write', async t => {
      const client = open({ replicaPoolSize: 1 })
      const { counted } = await instrument(t, client)
      await client.connect()
      await client.get('missing')
      await rejection(client.sendCommand(true, ['SET', 'a', '1']))
      t.same(await counted(), { 'get miss': 1, 'set error': 1 })
    })

    await t.test('one that is dropped can be collected', async t => {
      const { app } = await instrument(t, open())
      const dropped = await (async () => {
        const other = library.createSentinel({ name: MASTER, sentinelRootNodes: [{ host: '127.0.0.1', port: sentinel.port }] })
        app.vitals.instrument(other, { name: 'dropped' })
        await other.connect()
        await other.get('missing')
        await app.vitals.render()
        await other.close()
        return new WeakRef((other as unknown as { _self: object })._self)
      })()
      t.ok(await isCollected(dropped))
      t.equal(app.vitals.read('cache_misses_total', { cache_type: 'dropped' }), 1)
    })

    await t.test('uninstrument() leaves it as it was', async t => {
      const client = open()
      const self = (client as unknown as { _self: Record<string, unknown> })._self
      const before = Object.getOwnPropertyDescriptors(self)
      const { app, counted } = await instrument(t, client)
      await client.connect()
      const lease = await client.acquire()
      await lease.get('missing')
      t.ok(app.vitals.uninstrument(client))
      await lease.get('missing')
      await lease.release()
      await client.get('missing')
      t.same(Object.getOwnPropertyDescriptors(self), before)
      t.same(await counted(), { 'get miss': 1 })
    })
  })
}

t.test('a failover: what is sent again is counted once, and what fails as an error', async t => {
  const clients: [string, Sentinel | ioredis6.Redis][] = [
    ...Object.entries(nodeRedis).map(([title, library]) => [title, openNodeRedis(t, library)] as [string, Sentinel]),
    ...Object.entries(ioredis).map(([title, library]) => [title, openIoredis(t, library)] as [string, ioredis6.Redis])
  ]
  const now: { newMaster?: RedisServer } = {}
  const writing = clients.map(async ([title, client], i) => {
    const { counted, health } = await instrument(t, client)
    if ('acquire' in client) await client.connect()
    const ledger = { written: 0, refused: 0 }
    const isThere = async (): Promise<boolean> => now.newMaster !== undefined && await now.newMaster.run(`EXISTS after-${i}`) === ':1\r\n'
    do {
      await client.set(now.newMaster === undefined ? `before-${i}` : `after-${i}`, '1').then(() => ledger.written++, () => ledger.refused++)
    } while (!await isThere())
    t.equal(await client.get(`after-${i}`), '1')
    t.equal(await health(), 1, title)
    t.same(await counted(), { 'set success': ledger.written, ...ledger.refused > 0 && { 'set error': ledger.refused }, 'get hit': 1 }, title)
  })
  await sentinel.isWhole()
  now.newMaster = await sentinel.failOver()
  await Promise.all(writing)
})
