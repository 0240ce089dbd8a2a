import fastify from 'fastify'
import * as mongodb7 from 'mongodb'
import * as mongodb6 from 'mongodb-6'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import { startMongoWire } from './support/mongo-wire.ts'

const server = await startMongoWire(t)

type Driver = typeof mongodb7
type Session = mongodb7.ClientSession

const GONE = { ok: 0, code: 251, codeName: 'NoSuchTransaction', errmsg: 'gone', errorLabels: ['TransientTransactionError'] }
const STEPPED_DOWN = { ok: 0, code: 189, codeName: 'PrimarySteppedDown', errmsg: 'stepped down', errorLabels: ['RetryableWriteError'] }

for (const [title, driver] of [['mongodb 7', mongodb7], ['mongodb 6', mongodb6 as unknown as Driver]] as const) t.test(title, t => suite(t, driver))

async function suite (t: Test, { MongoClient }: Driver): Promise<void> {
  async function open (t: Test) {
    const client = new MongoClient(server.url)
    const app = fastify()
    await app.register(vitals, { enabled: true, endpoint: false })
    app.vitals.instrument(client, { name: 'primary' })
    t.teardown(async () => {
      await client.close()
      await app.close()
    })
    const count = (status: string): unknown => app.vitals.read('db_transactions_total', { system: 'mongodb', client: 'primary', status }) ?? 0
    return {
      client,
      sent: (operation: string, status: string) => app.vitals.read('db_queries_total', { system: 'mongodb', client: 'primary', operation, table: 'other', status }) ?? 0,
      ended: () => ({ committed: count('committed'), rolledBack: count('rolled_back') }),
      begin: async (session: Session) => {
        session.startTransaction()
        await client.db().collection('accounts').insertOne({}, { session })
      }
    }
  }

  await t.test('counts transactions that are committed and aborted, and no empty one', async t => {
    const { client, begin, ended } = await open(t)
    await client.withSession(async session => {
      await session.withTransaction(async () => { await client.db().collection('accounts').insertOne({}, { session }) })
      await begin(session)
      await session.abortTransaction()
      t.same(ended(), { committed: 1, rolledBack: 1 })
      session.startTransaction()
      await session.commitTransaction()
      session.startTransaction()
      await session.abortTransaction()
    })
    t.same(ended(), { committed: 1, rolledBack: 1 })
  })

  await t.test('a commit that the server refuses is rolled back, and so is an abort that it refuses', async t => {
    const { client, begin, ended } = await open(t)
    await client.withSession(async session => {
      await begin(session)
      server.failNext('commitTransaction', GONE)
      await t.rejects(session.commitTransaction(), { code: 251 })
      t.same(ended(), { committed: 0, rolledBack: 1 })
      await begin(session)
      server.failNext('abortTransaction', GONE)
      await session.abortTransaction()
      t.same(ended(), { committed: 0, rolledBack: 2 })
    })
    t.same(ended(), { committed: 0, rolledBack: 2 })
  })

  await t.test('a commit or an abort that is sent again is counted once', async t => {
    const { client, begin, ended, sent } = await open(t)
    await client.withSession(async session => {
      for (const failure of ['drop', STEPPED_DOWN] as const) {
        await begin(session)
        server.failNext('commitTransaction', failure)
        await session.commitTransaction()
      }
      t.same(ended(), { committed: 2, rolledBack: 0 })
      t.same([sent('commitTransaction', 'success'), sent('commitTransaction', 'error')], [2, 2], 'each is a command')
      await session.commitTransaction()
      t.same(ended(), { committed: 2, rolledBack: 0 }, 'by the application')
      await begin(session)
      server.failNext('abortTransaction', 'drop')
      await session.abortTransaction()
      t.same(ended(), { committed: 2, rolledBack: 1 })
    })
  })

  await t.test('a commit of which nobody hears counts by the one that is repeated', async t => {
    const { client, begin, ended } = await open(t)
    await client.withSession(async session => {
      await begin(session)
      for (const failure of ['drop', STEPPED_DOWN] as const) server.failNext('commitTransaction', failure)
      await t.rejects(session.commitTransaction(), { code: 189 })
      t.same(ended(), { committed: 0, rolledBack: 0 })
      await session.commitTransaction()
      t.same(ended(), { committed: 1, rolledBack: 0 })

      await begin(session)
      server.failNext('commitTransaction', { ok: 1, writeConcernError: { code: 64, codeName: 'WriteConcernFailed', errmsg: 'waiting for replication timed out' } })
      await t.rejects(session.commitTransaction(), { code: 64 })
      t.same(ended(), { committed: 1, rolledBack: 0 })
      server.failNext('commitTransaction', GONE)
      await t.rejects(session.commitTransaction(), { code: 251 })
      t.same(ended(), { committed: 1, rolledBack: 1 })
    })
  })

  await t.test('one that is not repeated is rolled back when its session goes on, or ends', async t => {
    const { client, begin, ended } = await open(t)
    const session = client.startSession()
    await begin(session)
    server.failNext('commitTransaction', { ok: 0, code: 50, codeName: 'MaxTimeMSExpired', errmsg: 'operation exceeded time limit' })
    await t.rejects(session.commitTransaction(), { code: 50 })
    t.same(ended(), { committed: 0, rolledBack: 0 })
    await begin(session)
    t.same(ended(), { committed: 0, rolledBack: 1 })
    server.failNext('commitTransaction', { ok: 0, code: 50, codeName: 'MaxTimeMSExpired', errmsg: 'operation exceeded time limit' })
    await t.rejects(session.commitTransaction(), { code: 50 })
    await session.endSession()
    t.same(ended(), { committed: 0, rolledBack: 1 })
    await client.close()
    t.same(ended(), { committed: 0, rolledBack: 2 })
  })

  await t.test('does without what an event does not tell, and remembers 1,000 sessions at the most', async t => {
    const { client, ended } = await open(t)
    const emit = (name: string, event: object): unknown => client.emit(name as 'commandStarted', event as mongodb7.CommandStartedEvent)
    const commit = (i: number, command: object): unknown => emit('commandStarted', { requestId: -i, commandName: 'commitTransaction', command })
    emit('commandStarted', { requestId: -1, commandName: 'endSessions', command: {} })
    commit(1, {})
    emit('commandFailed', { requestId: -1, commandName: 'commitTransaction', failure: undefined })
    for (let i = 0; i < 1_000; i++) {
      commit(i, { lsid: { id: `session ${i}` }, txnNumber: 1 })
      emit('commandSucceeded', { requestId: -i, commandName: 'commitTransaction', reply: { ok: 1 } })
    }
    t.same(ended(), { committed: 1_000, rolledBack: 1 })
  })
}
