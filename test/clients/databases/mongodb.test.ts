import { performance } from 'node:perf_hooks'
import fastify from 'fastify'
import * as mongodb7 from 'mongodb'
import * as mongodb6 from 'mongodb-6'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import type { HistogramValue } from '../../../lib/index.ts'
import { freePort } from '../../support/free-port.ts'
import { isCollected } from '../../support/garbage.ts'
import { eventually, gate } from '../../support/gate.ts'
import { startMongoWire } from './support/mongo-wire.ts'

const server = await startMongoWire(t)
const system = 'mongodb'
const NAME = 'primary'

type Driver = typeof mongodb7

for (const [title, driver] of [['mongodb 7', mongodb7], ['mongodb 6', mongodb6 as unknown as Driver]] as const) t.test(title, t => suite(t, driver))

async function suite (t: Test, { MongoClient }: Driver): Promise<void> {
  async function open (t: Test, options: mongodb7.MongoClientOptions = {}, url = server.url) {
    const client = new MongoClient(url, options)
    const app = fastify()
    await app.register(vitals, { enabled: true, endpoint: false })
    t.teardown(async () => {
      await client.close()
      await app.close()
    })
    t.equal(app.vitals.instrument(client, { name: NAME }), client)
    const read = (metric: string, labels: Record<string, string> = {}): unknown => app.vitals.read(metric, { system, client: NAME, ...labels })
    return {
      client,
      app,
      db: client.db(),
      count: (operation: string, table: string, status = 'success') => read('db_queries_total', { operation, table, status }) ?? 0,
      errors: (operation: string, errorType: string) => read('db_query_errors_total', { operation, error_type: errorType }) ?? 0,
      duration: (operation: string, table: string) => read('db_query_duration_seconds', { operation, table }) as HistogramValue,
      ended: (status: string) => read('db_transactions_total', { status }) ?? 0,
      read,
      gauges: async () => {
        await app.vitals.render()
        return Object.fromEntries(['size', 'active', 'idle', 'pending', 'max'].map(name => [name, read(`db_connection_pool_${name}`)]))
      }
    }
  }

  const rejection = async (promise: Promise<unknown>): Promise<Error & { code?: number }> => await promise.then(() => { throw new Error('It did not fail') }, error => error as Error)

  await t.test('counts commands by their name and collection, within the measure of the caller', async t => {
    const { db, count, duration } = await open(t)
    await db.collection('people').drop()
    const before = performance.now()
    await db.collection('people').insertOne({ _id: 1 as never, name: 'Ann' })
    t.strictSame(await db.collection('people').findOne({ _id: 1 as never }), { _id: 1, name: 'Ann' })
    await db.collection('people').updateOne({ _id: 1 as never }, { $set: { name: 'Bea' } })
    t.strictSame(await db.collection('people').aggregate([{ $match: { name: 'Bea' } }]).toArray(), [{ _id: 1, name: 'Bea' }])
    await db.collection('people').deleteMany({ name: 'Bea' })
    await db.collection('people').createIndex({ name: 1 })
    const seconds = (performance.now() - before) / 1_000
    for (const operation of ['drop', 'insert', 'find', 'update', 'aggregate', 'delete', 'createIndexes']) t.equal(count(operation, 'people'), 1, operation)
    t.ok(duration('find', 'people').sum > 0)
    t.ok(['insert', 'find', 'update', 'aggregate', 'delete', 'createIndexes'].reduce((sum, operation) => sum + duration(operation, 'people').sum, 0) <= seconds)
  })

  await t.test('counts each batch of a cursor, and what has no collection', async t => {
    const { db, count } = await open(t)
    await db.collection('batches').drop()
    await db.collection('batches').insertMany(Array.from({ length: 25 }, (_, i) => ({ _id: i as never })))
    t.equal((await db.collection('batches').find({}, { batchSize: 10 }).toArray()).length, 25)
    t.equal(count('find', 'batches'), 1)
    t.equal(count('getMore', 'batches'), 2)
    t.strictSame(await db.aggregate([{ $documents: [] }]).toArray(), [{ one: 1 }])
    t.equal(count('aggregate', 'other'), 1)
    const [first] = [await db.collection('batches').find({}, { batchSize: 10 }).next()]
    t.same(first, { _id: 0 })
  })

  await t.test('leaves out what the driver sends of its own accord, and pings', async t => {
    const { db, app, client } = await open(t)
    await db.command({ ping: 1 })
    await client.close()
    t.notMatch(await app.vitals.render(), /db_queries_total\{/)
  })

  await t.test('shows no names of users and roles', async t => {
    const { db, app, errors } = await open(t)
    await rejection(db.removeUser('secret'))
    await rejection(db.command({ usersInfo: 'secret' }))
    await rejection(db.command({ dropRole: 'secret' }))
    t.same(['dropUser', 'usersInfo', 'dropRole'].map(operation => errors(operation, '59')), [1, 1, 1])
    t.notMatch(await app.vitals.render(), /secret/)
  })

  await t.test('counts errors by the server\'s code, and leaves them as they are', async t => {
    const bare = new MongoClient(server.url)
    t.teardown(() => bare.close())
    const { db, count, errors } = await open(t)
    await db.collection('unique').drop()
    await db.collection('unique').insertOne({ _id: 1 as never })
    const [error, expected] = [await rejection(db.collection('unique').insertOne({ _id: 1 as never })), await rejection(bare.db().collection('unique').insertOne({ _id: 1 as never }))]
    t.equal(error.code, 11000)
    t.equal(error.message, expected.message)
    t.equal(error.constructor, expected.constructor)
    t.strictSame(Object.keys(error).sort(), Object.keys(expected).sort())
    t.equal(count('insert', 'unique', 'error'), 1)
    t.equal(errors('insert', '11000'), 1)
    t.match(await rejection(db.command({ noSuchThing: 'unique' })), { code: 59 })
    t.equal(errors('noSuchThing', '59'), 1)
    t.match(await rejection(db.command({ no_such_thing: 1 })), { code: 59 })
    t.equal(errors('other', '59'), 1)
    server.failNext('insert', { ok: 1, n: 1, writeConcernError: { code: 64, errmsg: 'waiting for replication timed out' } })
    t.match(await rejection(db.collection('unique').insertOne({ _id: 2 as never })), { code: 64 })
    t.equal(errors('insert', '64'), 1)
    const bulk = await rejection(db.collection('unique').insertMany([{ _id: 1 as never }, { _id: 3 as never }], { ordered: false }))
    t.equal(bulk.code, 11000)
    t.equal(errors('insert', '11000'), 2)
  })

  await t.test('counts what is retried as often as it is sent', async t => {
    const { db, count, errors } = await open(t)
    await db.collection('retried').drop()
    server.failNext('find', { ok: 0, code: 189, codeName: 'PrimarySteppedDown', errmsg: 'stepped down', errorLabels: ['RetryableReadError'] })
    t.strictSame(await db.collection('retried').find().toArray(), [])
    t.equal(count('find', 'retried', 'error'), 1)
    t.equal(count('find', 'retried'), 1)
    t.equal(errors('find', '189'), 1)
    server.failNext('insert', 'drop')
    await db.collection('retried').insertOne({ _id: 1 as never })
    t.equal(errors('insert', 'MongoNetworkError'), 1)
    t.equal(count('insert', 'retried'), 1)
  })

  await t.test('counts a server that dies in the middle of it, and goes on when it is back', async t => {
    const { db, count, errors, gauges } = await open(t, { retryReads: false, serverSelectionTimeoutMS: 5_000 })
    await db.collection('lasting').find().toArray()
    const never = gate()
    server.failNext('find', never.promise)
    const broken = rejection(db.collection('lasting').find().toArray())
    while (server.commands.filter(({ find }) => find === 'lasting').length < 2) await new Promise(setImmediate)
    await server.kill()
    await broken
    never.open()
    await server.start()
    t.equal(errors('find', 'MongoNetworkError'), 1)
    while (await db.collection('lasting').find().toArray().then(() => false, () => true));
    t.equal(count('find', 'lasting'), 2)
    t.match(await gauges(), { active: 0, pending: 0 })
    server.commands.length = 0
  })

  await t.test('counts a bulk write by its first collection, and writes that nobody waits for', async t => {
    const { client, db, count } = await open(t)
    await db.collection('bulk').drop()
    await client.bulkWrite([1, 2, 3].map(_id => ({ name: 'insertOne' as const, namespace: 'test.bulk', document: { _id: _id as never } })))
    t.equal(count('bulkWrite', 'bulk'), 1)
    await db.collection('bulk').bulkWrite([{ insertOne: { document: { _id: 4 as never } } }, { deleteOne: { filter: { _id: 4 as never } } }])
    t.equal(count('insert', 'bulk'), 1)
    t.equal(count('delete', 'bulk'), 1)
    await db.collection('bulk').insertOne({ _id: 5 as never }, { writeConcern: { w: 0 } })
    t.equal(count('insert', 'bulk'), 2)
    await rejection(db.collection('x'.repeat(129)).drop().then(() => { throw new Error('dropped') }))
    t.equal(count('drop', 'other'), 1, 'a name that is too long')
  })

  await t.test('shows the pool, and times each wait for a connection', async t => {
    const { db, gauges, read } = await open(t, { maxPoolSize: 1, waitQueueTimeoutMS: 500 })
    const held = gate()
    server.failNext('find', held.promise)
    const before = performance.now()
    const holding = db.collection('pooled').find().toArray()
    while (!server.commands.some(({ find }) => find === 'pooled')) await new Promise(setImmediate)
    const waiting = rejection(db.collection('pooled').find().toArray())
    let shown = await gauges()
    t.ok(await eventually(async () => (shown = await gauges())['pending'] === 1))
    t.strictSame(shown, { size: 1, active: 1, idle: 0, pending: 1, max: 1 })
    t.match(await waiting, { name: 'MongoWaitQueueTimeoutError' })
    t.equal(read('db_connection_timeouts_total'), 1)
    held.open()
    await holding
    t.strictSame(await gauges(), { size: 1, active: 0, idle: 1, pending: 0, max: 1 })
    const wait = read('db_connection_wait_seconds') as HistogramValue
    t.ok(wait.count >= 1 && wait.sum <= (performance.now() - before) / 1_000)
    server.commands.length = 0
  })

  await t.test('shows a connection that is being made as in use, until it is there or has failed', async t => {
    const { client, db, gauges } = await open(t, { maxPoolSize: 2, retryReads: false, serverSelectionTimeoutMS: 5_000 })
    const find = (): Promise<unknown> => db.collection('making').find().toArray().then(() => 'found', () => 'failed')
    for (const fails of [false, true]) {
      await client.connect()
      const [busy, held] = [gate(), gate()]
      server.failNext('find', busy.promise)
      const first = find()
      t.ok(await eventually(() => server.commands.some(({ find }) => find === 'making')))
      server.holdNext(held.promise)
      const second = find()
      let shown = await gauges()
      t.ok(await eventually(async () => (shown = await gauges())['size'] === 2))
      t.strictSame(shown, { size: 2, active: 2, idle: 0, pending: 1, max: 2 })
      if (fails) await server.kill()
      busy.open()
      held.open()
      t.strictSame(await Promise.all([first, second]), fails ? ['failed', 'failed'] : ['found', 'found'])
      t.match(await gauges(), fails ? { active: 0, idle: 0, pending: 0 } : { size: 2, active: 0, idle: 2, pending: 0 })
      await client.close()
      server.commands.length = 0
    }
    await server.start()
  })

  await t.test('leaves out a limit that there is not, and pools that are closed', async t => {
    const { client, db, gauges } = await open(t, { maxPoolSize: 0 })
    t.strictSame(await gauges(), { size: 0, active: 0, idle: 0, pending: 0, max: undefined })
    await db.collection('people').find().toArray()
    t.match(await gauges(), { size: 1, idle: 1, max: undefined })
    await client.close()
    t.match(await gauges(), { size: 0, active: 0, idle: 0 })
    await client.connect()
    await db.collection('people').find().toArray()
    t.match(await gauges(), { size: 1, active: 0, idle: 1 })
  })

  await t.test('counts nothing where no server is found: no command was sent', async t => {
    const { db, app } = await open(t, { serverSelectionTimeoutMS: 20 }, `mongodb://127.0.0.1:${await freePort()}/`)
    t.match(await rejection(db.collection('people').find().toArray()), { name: 'MongoServerSelectionError' })
    t.notMatch(await app.vitals.render(), /db_queries_total\{/)
  })

  await t.test('counts 10,000 operations in parallel, each once', async t => {
    const { db, count, errors, duration, gauges } = await open(t, { maxPoolSize: 8 })
    await db.collection('ledger').drop()
    await db.collection('ledger').insertOne({ _id: 0 as never })
    const ledger = { found: 0, inserted: 0, refused: 0, seconds: 0 }
    const operations = Array.from({ length: 10_000 }, (_, i) => i)
    await Promise.all(Array.from({ length: 20 }, async () => {
      for (let i = operations.pop(); i !== undefined; i = operations.pop()) {
        const started = performance.now()
        if (i % 10 !== 0) {
          await db.collection('ledger').findOne({ _id: 0 as never })
          ledger.found++
        } else await db.collection('ledger').insertOne({ _id: (i % 20 === 0 ? 0 : i) as never }).then(() => ledger.inserted++, () => ledger.refused++)
        ledger.seconds += (performance.now() - started) / 1_000
      }
    }))
    t.strictSame([ledger.found, ledger.inserted, ledger.refused], [9_000, 500, 500])
    t.equal(count('find', 'ledger'), ledger.found)
    t.equal(count('insert', 'ledger'), ledger.inserted + 1)
    t.equal(count('insert', 'ledger', 'error'), ledger.refused)
    t.equal(errors('insert', '11000'), ledger.refused)
    t.ok(duration('find', 'ledger').sum + duration('insert', 'ledger').sum <= ledger.seconds)
    const { size, idle, ...rest } = await gauges()
    t.strictSame(rest, { active: 0, pending: 0, max: 8 })
    t.equal(size, idle)
    server.commands.length = 0
  })

  await t.test('must come before the client connects', async t => {
    const client = new MongoClient(server.url, { monitorCommands: true })
    const app = fastify()
    await app.register(vitals, { enabled: true, endpoint: false })
    t.teardown(async () => {
      await client.close()
      await app.close()
    })
    await client.connect()
    t.throws(() => app.vitals.instrument(client, { name: NAME }), { code: 'FSV_ERR_CLIENT_CONNECTED', message: /must be instrumented before it connects/ })
    await client.close()
    app.vitals.instrument(client, { name: NAME })
    await client.connect()
    await client.db().collection('people').find().toArray()
    t.equal(app.vitals.read('db_queries_total', { system, client: NAME, operation: 'find', table: 'people', status: 'success' }), 1)
  })

  await t.test('uninstrument() and close() leave the client as it was', async t => {
    const client = new MongoClient(server.url)
    t.teardown(() => client.close())
    const state = (): unknown => [(client as unknown as { monitorCommands: boolean }).monitorCommands, client.eventNames(), ['on', 'emit', 'db', 'connect'].map(name => Object.getOwnPropertyDescriptor(client, name))]
    const before = state()
    const app = fastify()
    await app.register(vitals, { enabled: true, endpoint: false })
    app.vitals.instrument(client, { name: NAME })
    await client.db().collection('people').find().toArray()
    const counted = (): unknown => app.vitals.read('db_queries_total', { system, client: NAME, operation: 'find', table: 'people', status: 'success' })
    t.equal(counted(), 1)
    const held = gate()
    server.failNext('find', held.promise)
    const running = client.db().collection('people').find().toArray()
    while (server.commands.filter(({ find }) => find === 'people').length < 2) await new Promise(setImmediate)
    t.equal(app.vitals.uninstrument(client), true)
    held.open()
    await running
    t.equal(counted(), 1)
    await client.close()
    t.same(state(), before)
    app.vitals.instrument(client, { name: NAME })
    await client.connect()
    await client.db().collection('people').find().toArray()
    t.equal(counted(), 2)
    await app.close()
    await client.db().collection('people').find().toArray()
    t.equal(counted(), 2)
    server.commands.length = 0
  })

  await t.test('a client that is dropped can be collected', async t => {
    const app = fastify()
    await app.register(vitals, { enabled: true, endpoint: false })
    t.teardown(() => app.close())
    const ref = await (async () => {
      const client = new MongoClient(server.url)
      app.vitals.instrument(client, { name: NAME })
      await client.db().collection('people').find().toArray()
      await client.close()
      return new WeakRef(client)
    })()
    t.ok(await isCollected(ref))
  })
}
