import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import * as ioredis6 from 'ioredis'
import * as ioredis5 from 'ioredis-5'
import * as redis6 from 'redis'
import * as redis5 from 'redis-5'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import { freePort } from '../../support/free-port.ts'
import { isCollected } from '../../support/garbage.ts'
import { rejection } from './cache-contract.ts'
import { countedOperations } from '../support/counted.ts'
import { startCluster } from './support/redis-cluster.ts'

const cluster = await startCluster(t)
/** Two keys of one slot, and one of another node. */
const [here, too, there] = ['{a}1', '{a}2', '{c}1'] as const

async function start (t: Test): Promise<FastifyInstance> {
  const app = fastify()
  await app.register(vitals, { enabled: true, endpoint: false })
  t.teardown(() => app.close())
  return app
}

async function health (app: FastifyInstance): Promise<unknown> {
  await app.vitals.render()
  return app.vitals.read('health_dependency_status', { dependency: 'cluster' })
}

for (const [title, { Cluster }] of Object.entries({ 'ioredis 6': ioredis6, 'ioredis 5': ioredis5 as unknown as Pick<typeof ioredis6, 'Cluster'> })) {
  t.test(`${title}: Cluster`, async t => {
    const app = await start(t)
    const client = new Cluster(cluster.ports.map(port => ({ host: '127.0.0.1', port })), { lazyConnect: true })
    t.equal(app.vitals.instrument(client, { name: 'cluster' }), client)
    t.teardown(() => client.disconnect())
    const counted = (): Promise<Record<string, number>> => countedOperations(app, 'cluster')
    const before = client.sendCommand
    await client.connect()
    t.equal(await health(app), 1)
    await Promise.all([client.set(here, '1'), client.set(too, '1'), client.set(there, '1')])
    await Promise.all([client.get(here), client.get(there), client.get('missing')])
    t.same(await counted(), { 'set success': 3, 'get hit': 2, 'get miss': 1 })
    await client.pipeline().get(here).get(too).exec()
    await client.multi().get(here).set(too, '2').exec()
    t.same(await counted(), { 'set success': 4, 'get hit': 5, 'get miss': 1 })
    await rejection(client.mget(here, there))
    t.equal((await counted())['mget error'], 1)
    t.equal(app.vitals.uninstrument(client), true)
    t.equal(client.sendCommand === before, false)
    app.vitals.instrument(client, { name: 'cluster' })

    await t.test('counts what a node redirects once', async t => {
      await client.set(here, 'moved')
      const earlier = await counted()
      await cluster.move(here, too)
      t.equal(await client.get(here), 'moved')
      t.equal((await counted())['get hit'], earlier['get hit']! + 1)
      t.equal((await counted())['get error'], undefined)
    })

    await t.test('counts a pipeline that is redirected once, and one that is not sent again as it ended', async t => {
      await client.set(here, 'moved')
      await client.set(too, 'moved')
      const earlier = await counted()
      await cluster.move(here, too)
      t.same(await client.pipeline().get(here).get(too).exec(), [[null, 'moved'], [null, 'moved']])
      t.equal((await counted())['get hit'], earlier['get hit']! + 2)
      t.equal((await counted())['get error'], undefined)
      t.same((await client.pipeline().get(here).lpush(too, 'x').exec())!.map(([error]) => error?.message.slice(0, 9)), [undefined, 'WRONGTYPE'])
      t.equal((await counted())['get hit'], earlier['get hit']! + 3)
      t.equal((await counted())['lpush error'], 1)
      const end = await cluster.beginToMove(here)
      t.match((await client.pipeline().set(too, 'y').get(here).exec())!.map(([error]) => error?.message), [undefined, /^ASK /])
      await setImmediate()
      t.equal((await counted())['get error'], 1)
      t.equal((await counted())['set success'], earlier['set success']! + 1)
      await client.del(too)
      await end()
    })

    await t.test('counts a pipeline that the library sends again and then gives up, and no ASKING', async t => {
      const strict = new Cluster(cluster.ports.map(port => ({ host: '127.0.0.1', port })), { lazyConnect: true, maxRedirections: 2, retryDelayOnTryAgain: 1 })
      t.teardown(() => strict.disconnect())
      app.vitals.instrument(strict, { name: 'strict' })
      await strict.connect()
      await strict.subscribe('channel')
      await strict.mset(here, 'x', too, 'x')
      const end = await cluster.beginToMove(here)
      t.match((await strict.pipeline().mget(here, too).exec())![0]![0], { message: /^TRYAGAIN / })
      t.same(await strict.pipeline().get(here).exec(), [[null, 'x']])
      t.same(await countedOperations(app, 'strict'), { 'subscribe success': 1, 'mset success': 1, 'mget error': 1, 'get hit': 1 })
      await strict.del(too)
      await end()
      const ended = once(strict, 'end')
      strict.disconnect()
      await ended
      for (const [error] of (await strict.pipeline().set(here, 'x').set(too, 'x').set(here, 'y').exec())!) t.match(error, { message: /closed/ })
      t.equal((await countedOperations(app, 'strict'))['set error'], 3)
    })

    await t.test('counts a transaction that is redirected once, as it ends', async t => {
      await client.set(here, 'moved')
      const earlier = await counted()
      await cluster.move(here, too)
      t.same(await client.multi().get(here).set(too, 'moved').exec(), [[null, 'moved'], [null, 'OK']])
      t.equal((await counted())['get hit'], earlier['get hit']! + 1)
      t.equal((await counted())['set success'], earlier['set success']! + 1)
      t.same([(await counted())['get error'], (await counted())['set error']], [earlier['get error'], earlier['set error']])
      t.same(await client.multi().get(here).lpush(too, 'x').exec().then(replies => replies!.map(([error]) => error?.message.slice(0, 9))), [undefined, 'WRONGTYPE'])
      t.equal((await counted())['get hit'], earlier['get hit']! + 2)
      t.equal((await counted())['lpush error'], earlier['lpush error']! + 1)
      t.match(await rejection(client.multi().lpush(here, 'x').call('GET', here, 'one too many').exec()), { message: /^EXECABORT/ })
      t.same([(await counted())['lpush error'], (await counted())['get error']], [earlier['lpush error']! + 2, (earlier['get error'] ?? 0) + 1])
      await cluster.move(here, too)
      const strict = new Cluster(cluster.ports.map(port => ({ host: '127.0.0.1', port })), { lazyConnect: true, maxRedirections: 0 })
      t.teardown(() => strict.disconnect())
      app.vitals.instrument(strict, { name: 'strict transaction' })
      await strict.connect()
      await cluster.move(here, too)
      t.match(await rejection(strict.multi().get(here).set(too, 'x').exec()), { message: /^EXECABORT/ })
      t.same(await countedOperations(app, 'strict transaction'), { 'get error': 1, 'set error': 1 })
    })

    await t.test('counts what never leaves the library: where no node can be had, and for keys of several nodes', async t => {
      const counts = (name: string) => countedOperations(app, name)
      const none = await freePort()
      const open = (name: string, options: object = {}): ioredis6.Cluster => {
        const lost = new Cluster([{ host: '127.0.0.1', port: none }], { lazyConnect: true, clusterRetryStrategy: () => null, ...options }).on('error', () => {})
        t.teardown(() => lost.disconnect())
        app.vitals.instrument(lost, { name })
        return lost
      }
      await rejection(open('pipeline').pipeline().get(here).set(too, '1').exec())
      t.same(await counts('pipeline'), { 'get error': 1, 'set error': 1 })
      const error = await new Promise<unknown>(resolve => { open('callback').pipeline([['get', here]]).exec(resolve).catch(() => {}) })
      t.ok(error instanceof Error)
      t.same(await counts('callback'), { 'get error': 1 })
      await rejection(open('transaction').multi([['get', here]]).set(too, '1').exec())
      t.same(await counts('transaction'), { 'get error': 1, 'set error': 1 })
      await rejection(open('automatic', { enableAutoPipelining: true }).get(here))
      t.same(await counts('automatic'), { 'other error': 1 })
      await rejection(open('single').get(here))
      t.same(await counts('single'), { 'get error': 1 })
      const earlier = await counted()
      for (const pipeline of [client.pipeline(), client.multi()]) t.match(await rejection(pipeline.get(here).get(there).exec()), { message: /belong to the same slots/ })
      // One that was redirected before it could not be sent counts as it ended, too.
      const ended = (after: Record<string, number>): number => (after['get error'] ?? 0) + after['get hit']! + after['get miss']!
      t.equal(ended(await counted()), ended(earlier) + 4)
      t.ok((await counted())['get error']! >= (earlier['get error'] ?? 0) + 3)
      t.same(await client.pipeline().exec(), [])
      t.equal((await counted())['other error'], undefined)
    })

    await t.test('a MULTI that is refused within a transaction loses none of its commands, and a pipeline that was made before is left alone', async t => {
      const other = new Cluster(cluster.ports.map(port => ({ host: '127.0.0.1', port })), { lazyConnect: true })
      t.teardown(() => other.disconnect())
      app.vitals.instrument(other, { name: 'nested' })
      await other.connect()
      const nested = other.pipeline([['multi']]).set(here, '1').call('multi').get(here)
      await nested.exec() // Adds EXEC.
      await nested.exec()
      t.same(await countedOperations(app, 'nested'), { 'set success': 1, 'get hit': 1 })
      const before = other.pipeline().mget(here, there)
      app.vitals.uninstrument(other)
      await rejection(before.exec())
      t.same(await countedOperations(app, 'nested'), { 'set success': 1, 'get hit': 1 })
    })

    await t.test('counts a script of a pipeline once, also where the node has forgotten it', async t => {
      client.defineCommand('script', { numberOfKeys: 1, lua: 'return redis.call("get", KEYS[1])' })
      const run = async (): Promise<unknown> => await (client.pipeline() as unknown as { script (key: string): ioredis6.ChainableCommander }).script('{a}none').exec()
      t.same(await run(), [[null, null]])
      await Promise.all(client.nodes('master').map(node => node.script('FLUSH')))
      t.same(await run(), [[null, null]])
      t.same([(await counted())['evalsha success'], (await counted())['evalsha error']], [2, undefined])
    })

    const ended = once(client, 'end')
    client.disconnect()
    await ended
    t.equal(await health(app), 0)
  })
}

type Library = Pick<typeof redis6, 'createCluster'>

for (const [title, library] of Object.entries({ 'redis 6': redis6, 'redis 5': redis5 as unknown as Library })) {
  t.test(`${title}: createCluster`, async t => {
    const open = (options: object = {}) => library.createCluster({ rootNodes: cluster.ports.map(port => ({ url: `redis://127.0.0.1:${port}` })), ...options }).on('error', () => {})
    const app = await start(t)
    const client = open()
    const { _self: self } = client as unknown as { _self: { _slots: { nodeClient: unknown }, _execute: unknown } }
    const before = [self._slots.nodeClient, self._execute]
    app.vitals.instrument(client, { name: 'cluster' })
    const counted = (): Promise<Record<string, number>> => countedOperations(app, 'cluster')
    t.equal(await health(app), 0)
    await client.connect()
    t.equal(await health(app), 1)
    await Promise.all([client.set(here, '1'), client.set(too, '1'), client.set(there, '1')])
    await Promise.all([client.get(here), client.get(there), client.get('missing')])
    t.equal(await health(app), 1)
    t.same(await counted(), { 'set success': 3, 'get hit': 2, 'get miss': 1 })
    await client.multi().get(here).get(too).execAsPipeline()
    await client.multi().get(here).set(too, '2').exec()
    t.same(await counted(), { 'set success': 4, 'get hit': 5, 'get miss': 1 })

    await t.test('counts what a node redirects once, also in a transaction where the library sends it again', async t => {
      await client.set(here, 'moved')
      const earlier = await counted()
      await cluster.move(here, too)
      t.equal(await client.get(here), 'moved')
      const { count, sum } = app.vitals.read('cache_operation_duration_seconds', { cache_type: 'cluster', operation: 'get' }) as { count: number, sum: number }
      t.ok(sum > 0)
      t.equal((await counted())['get hit'], earlier['get hit']! + 1)
      t.equal((await counted())['get error'], undefined)
      await cluster.move(here, too)
      const replies = await client.multi().get(here).get(here).exec().catch((error: Error) => error.message.slice(0, 5))
      const isSentAgain = title === 'redis 6'
      t.same(replies, isSentAgain ? ['moved', 'moved'] : 'MOVED')
      t.equal((await counted())['get hit'], earlier['get hit']! + (isSentAgain ? 3 : 1))
      t.equal((await counted())['get error'], isSentAgain ? undefined : 2)
      t.equal((app.vitals.read('cache_operation_duration_seconds', { cache_type: 'cluster', operation: 'get' }) as { count: number }).count, count + 2)
    })

    await t.test('counts what a node has given away already once', async t => {
      await client.set(here, 'given')
      const earlier = await counted()
      await cluster.beginToMove(here)
      t.teardown(async () => {
        await cluster.move(here, too)
        await cluster.move(here, too)
      })
      t.equal(await client.get(here), 'given')
      t.equal((await counted())['get hit'], earlier['get hit']! + 1)
      t.equal((await counted())['other success'], undefined)
      t.equal((await counted())['asking success'], undefined)
    })

    await t.test('counts what is redirected for ever, and what finds no node', async t => {
      const strict = open({ maxCommandRedirections: 0 })
      t.teardown(() => strict.isOpen && strict.destroy())
      await strict.connect()
      app.vitals.instrument(strict, { name: 'strict' })
      await cluster.move(here, too)
      await rejection(strict.get(here))
      t.same(await countedOperations(app, 'strict'), { 'get error': 1 })
      strict.destroy()
      await rejection(strict.get(here))
      const after = await countedOperations(app, 'strict')
      t.equal((after['get error'] ?? 0) + (after['other error'] ?? 0), 2)
    })

    await t.test('counts each command that finds no node: of a transaction, of a pipeline, of a subscription, and without a key', async t => {
      const lost = open()
      await lost.connect()
      app.vitals.instrument(lost, { name: 'lost' })
      lost.destroy()
      await rejection(lost.multi().get(here).set(too, '1').exec())
      t.same(await countedOperations(app, 'lost'), { 'get error': 1, 'set error': 1 })
      await rejection(lost.multi().get(here).get(too).execAsPipeline())
      await rejection(lost.withTypeMapping({}).MULTI().set(here, '1').exec(true))
      t.same(await countedOperations(app, 'lost'), { 'get error': 3, 'set error': 2 })
      t.same(await lost.multi().execAsPipeline(), [])
      for (const call of [() => lost.subscribe('channel', () => {}), () => lost.SSUBSCRIBE('channel', () => {})]) await rejection(call())
      for (const call of [() => lost.ping(), () => lost.dbSize(), () => lost.mGet([here, there])]) await rejection(call())
      t.same(await countedOperations(app, 'lost'), {
        'get error': 3,
        'set error': 2,
        'subscribe error': 1,
        'ssubscribe error': 1,
        ...title === 'redis 6' ? { 'ping error': 1, 'dbsize error': 1, 'mget error': 2 } : { 'other error': 3 }
      })
    })

    await t.test('leaves the node of a command that was being connected to when the cluster was left', async t => {
      const left = open({ minimizeConnections: true })
      t.teardown(() => left.isOpen && left.destroy())
      await left.connect()
      app.vitals.instrument(left, { name: 'left' })
      const waiting = left.get(here)
      app.vitals.uninstrument(left)
      await waiting
      t.same(await countedOperations(app, 'left'), {})
      app.vitals.instrument(left, { name: 'again' })
      await left.set(here, '1')
      t.same(await countedOperations(app, 'again'), { 'set success': 1 })
    })

    await t.test('counts subscriptions', async t => {
      const listening = open()
      t.teardown(() => listening.isOpen && listening.destroy())
      app.vitals.instrument(listening, { name: 'listening' })
      await listening.connect()
      const messages: string[] = []
      let heard = (): void => {}
      const listener = (message: string): void => {
        messages.push(message)
        heard()
      }
      const hearing = async (publish: () => Promise<unknown>): Promise<void> => {
        const hears = new Promise<void>(resolve => { heard = resolve })
        await publish()
        await hears
      }
      await listening.subscribe('channel', listener)
      await hearing(() => listening.publish('channel', 'one'))
      await listening.pSubscribe('chan*', listener)
      await listening.unsubscribe('channel')
      await hearing(() => listening.publish('channel', 'two'))
      await listening.PUNSUBSCRIBE('chan*')
      await listening.sSubscribe('shard', listener)
      await hearing(() => listening.sPublish('shard', 'three'))
      await listening.sUnsubscribe('shard')
      t.same(messages, ['one', 'two', 'three'])
      t.same(await countedOperations(app, 'listening'), {
        'subscribe success': 1,
        'psubscribe success': 1,
        'unsubscribe success': 1,
        'punsubscribe success': 1,
        'ssubscribe success': 1,
        'sunsubscribe success': 1,
        'publish success': 2,
        'spublish success': 1
      })
    })

    await t.test('leaves a command of a node to whom the application told to instrument that', async t => {
      const shared = open({ maxCommandRedirections: 0 })
      t.teardown(() => shared.isOpen && shared.destroy())
      await shared.connect()
      app.vitals.instrument(await shared.nodeClient(shared.slots[await cluster.slotOf(there)]!.master), { name: 'node' })
      app.vitals.instrument(shared, { name: 'shared' })
      await shared.set(there, 'text')
      await rejection(shared.lPush(there, 'x'))
      await rejection(shared.multi().lPush(there, 'x').execAsPipeline())
      t.same(await countedOperations(app, 'node'), { 'set success': 1, 'lpush error': 2 })
      t.same(await countedOperations(app, 'shared'), {})
    })

    t.equal(app.vitals.uninstrument(client), true)
    t.same([self._slots.nodeClient, self._execute], before)
    const total = Object.values(await counted()).reduce((sum, count) => sum + count, 0)
    await client.get(here)
    t.equal(Object.values(await counted()).reduce((sum, count) => sum + count, 0), total)
    app.vitals.instrument(client, { name: 'cluster' })
    await client.get(here)
    t.equal(Object.values(await counted()).reduce((sum, count) => sum + count, 0), total + 1)
    client.destroy()
    t.equal(await health(app), 0)

    const dropped = await (async () => {
      const other = open()
      app.vitals.instrument(other, { name: 'dropped' })
      await other.connect()
      await other.get(here)
      other.destroy()
      return new WeakRef(other)
    })()
    t.ok(await isCollected(dropped))
  })
}

t.test('createCluster: connections that are refused', async t => {
  const app = await start(t)
  const clients = await Promise.all(Object.entries({ 'redis 6': redis6, 'redis 5': redis5 as unknown as Library }).map(async ([title, library]) => {
    const client = library.createCluster({
      rootNodes: cluster.ports.map(port => ({ url: `redis://127.0.0.1:${port}` })),
      minimizeConnections: true,
      defaults: { socket: { reconnectStrategy: false } }
    }).on('error', () => {})
    t.teardown(() => client.close())
    app.vitals.instrument(client, { name: title })
    await client.connect()
    return { title, client }
  }))
  await cluster.kill()
  for (const { title, client } of clients) {
    t.match(await rejection(client.get(here)), { message: /ECONNREFUSED/ })
    await rejection(client.multi().get(here).set(too, '1').exec())
    await rejection(client.multi().get(here).set(too, '1').execAsPipeline())
    await rejection(client.ping())
    await rejection(client.dbSize())
    await rejection(client.subscribe('channel', () => {}))
    const { 'get error': get = 0, 'ping error': ping = 0, 'dbsize error': dbSize = 0, 'other error': other = 0, ...rest } = await countedOperations(app, title)
    t.same(rest, { 'set error': 2, 'subscribe error': 1 })
    // Version 5 does not say what a command was, unless it tries the connection that failed before.
    t.same([get, ping, dbSize, other], title === 'redis 6' ? [3, 1, 1, 0] : [2, ping, dbSize, 3 - ping - dbSize])
  }
})
