import * as mongodb7 from 'mongodb'
import * as mongodb6 from 'mongodb-6'
import mongoose from 'mongoose'
import t from 'tap'
import type { Test } from 'tap'
import { instrumented } from '../support/instrumented.ts'
import type { Readers } from '../support/instrumented.ts'
import { startMongoWire } from './support/mongo-wire.ts'

const server = await startMongoWire(t)

type Driver = typeof mongodb7

for (const [title, driver] of [['mongodb 7', mongodb7], ['mongodb 6', mongodb6 as unknown as Driver]] as const) t.test(title, t => suite(t, driver))

async function suite (t: Test, { MongoClient }: Driver): Promise<void> {
  async function open (t: Test): Promise<Readers & { db: mongodb7.Db }> {
    const client = new MongoClient(server.url)
    t.teardown(() => client.close())
    return { db: client.db(), ...await instrumented(t, client, 'mongodb') }
  }

  await t.test('counts a change stream by its batches', async t => {
    const { db, count, errors } = await open(t)
    const stream = db.collection('watched').watch()
    const first = stream.next()
    while (!server.commands.some(({ getMore, collection }) => getMore !== undefined && collection === 'watched')) await new Promise(setImmediate)
    await db.collection('watched').insertOne({ _id: `${t.name}` as never })
    t.match(await first, { operationType: 'insert', documentKey: { _id: t.name } })
    t.equal(count('aggregate', 'watched'), 1)
    t.equal(count('getMore', 'watched'), 1)
    const ended = t.rejects(stream.next())
    await stream.close()
    await ended
    t.equal(errors('killCursors', '59'), 0)
    await db.collection('watched').drop()
    server.commands.length = 0
  })

  await t.test('counts an aggregation into a collection under the one that it reads', async t => {
    const { db, count } = await open(t)
    await db.collection('source').insertMany([1, 2, 3].map(n => ({ n })))
    t.same(await db.collection('source').aggregate([{ $match: { n: 2 } }, { $out: 'target' }]).toArray(), [])
    t.match(await db.collection('target').find().toArray(), [{ n: 2 }])
    t.equal(count('aggregate', 'source'), 1)
    t.equal(count('aggregate', 'target'), 0)
    t.equal(count('find', 'target'), 1)
    await db.collection('source').drop()
  })

  await t.test('counts cursors that are left, by the commands that were sent', async t => {
    const { db, count } = await open(t)
    await db.collection('many').insertMany(Array.from({ length: 25 }, (_, n) => ({ n })))
    for await (const { n } of db.collection('many').find({}, { batchSize: 10 })) if (n === 12) break
    t.same(['find', 'getMore', 'killCursors'].map(operation => count(operation, 'many')), [1, 1, 1])
    await db.collection('many').drop()
  })
}

t.test('mongoose on an instrumented client', async t => {
  const client = new mongoose.mongo.MongoClient(server.url)
  const { vitals, count, errors, transactions } = await instrumented(t, client, 'mongodb')
  await client.connect()
  const connection = mongoose.createConnection().setClient(client)
  t.teardown(() => connection.close())
  t.equal(connection.getClient(), client)
  const Kitten = connection.model('Kitten', new mongoose.Schema({ name: { type: String, unique: true } }))
  await Kitten.init()
  const silence = await new Kitten({ name: 'Silence' }).save()
  t.match(await Kitten.findOne({ name: 'Silence' }), { name: 'Silence' })
  await Kitten.updateOne({ _id: silence._id }, { name: 'Noise' })
  t.equal((await Kitten.aggregate([{ $match: { name: 'Noise' } }])).length, 1)
  await t.rejects(Kitten.create({ _id: silence._id }), { code: 11000 })
  await connection.transaction(async session => { await Kitten.create([{ name: 'Fluffy' }], { session }) })
  await t.rejects(connection.transaction(async session => {
    await Kitten.deleteMany({}, { session })
    throw new Error('no')
  }), { message: 'no' })
  t.same(['createIndexes', 'insert', 'find', 'update', 'aggregate', 'delete'].map(operation => count(operation, 'kittens')), [1, 2, 1, 1, 1, 1])
  t.equal(errors('insert', '11000'), 1)
  t.same([transactions('committed'), transactions('rolled_back')], [1, 1])
  t.throws(() => vitals.instrument(connection, { name: 'forms' }), { code: 'FSV_ERR_UNKNOWN_CLIENT' })
})
