import { performance } from 'node:perf_hooks'
import { PrismaPg } from '@prisma/adapter-pg'
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import type { HistogramValue } from '../../../lib/index.ts'
import { freePort } from '../../support/free-port.ts'
import { startPostgres } from './support/postgres-server.ts'
import { generatePrisma } from './support/prisma-client.ts'
import type { PrismaClient } from './support/prisma-client.ts'

const server = await startPostgres(t)
const generated = generatePrisma(t)
const NAME = 'primary'

async function open (t: Test, connectionString = server.url) {
  const bare = new generated.PrismaClient({ adapter: new PrismaPg({ connectionString }) })
  const app = fastify()
  await app.register(vitals, { enabled: true, endpoint: false })
  t.teardown(async () => {
    await bare.$disconnect()
    await app.close()
  })
  const prisma = app.vitals.instrument(bare, { name: NAME }) as PrismaClient
  const read = (metric: string, labels: Record<string, string>): unknown => app.vitals.read(metric, { system: 'postgresql', client: NAME, ...labels })
  return {
    bare,
    prisma,
    app,
    count: (operation: string, table = 'Task', status = 'success') => read('db_queries_total', { operation, table, status }) ?? 0,
    errors: (operation: string, errorType: string) => read('db_query_errors_total', { operation, error_type: errorType }) ?? 0,
    duration: (operation: string, table = 'Task') => read('db_query_duration_seconds', { operation, table }) as HistogramValue,
    ended: (status: string) => read('db_transactions_total', { status }) ?? 0
  }
}

const rejection = async (promise: Promise<unknown>): Promise<Error & { code?: string }> => await promise.then(() => { throw new Error('It did not fail') }, error => error as Error)

t.before(async () => {
  const prisma = new generated.PrismaClient({ adapter: new PrismaPg({ connectionString: server.url }) })
  await prisma.$executeRawUnsafe('create table "Task" (id integer primary key, title text not null unique)')
  await prisma.$disconnect()
})

t.test('counts operations by model and action, within the measure of the caller', async t => {
  const { bare, prisma, count, duration } = await open(t)
  t.not(prisma, bare, 'an extended client takes its place')
  const before = performance.now()
  t.strictSame(await prisma.task.create({ data: { id: 1, title: 'one' } }), { id: 1, title: 'one' })
  t.strictSame(await prisma.task.findMany({ where: { id: 1 } }), await bare.task.findMany({ where: { id: 1 } }))
  t.equal(await prisma.task.findUnique({ where: { id: 99 } }), null)
  await prisma.task.update({ where: { id: 1 }, data: { title: 'uno' } })
  t.equal(await prisma.task.count(), 1)
  await prisma.task.deleteMany()
  const seconds = (performance.now() - before) / 1_000
  const operations = ['create', 'findMany', 'findUnique', 'update', 'count', 'deleteMany']
  for (const operation of operations) t.equal(count(operation), 1, operation)
  const sum = operations.reduce((sum, operation) => sum + duration(operation).sum, 0)
  t.ok(sum > 0 && sum <= seconds)
})

t.test('counts raw statements like those of a driver', async t => {
  const { prisma, count } = await open(t)
  const id = 5
  t.strictSame(await prisma.$queryRaw`select id from "Task" where id = ${id}`, [])
  await prisma.$queryRaw(generated.Prisma.sql`select title from "Task" where id = ${id}`)
  await prisma.$queryRawUnsafe('select 1 as one from "Task" where id = $1', id)
  t.equal(await prisma.$executeRaw`delete from "Task" where id = ${id}`, 0)
  t.equal(await prisma.$executeRawUnsafe('delete from "Task" where id = $1', id), 0)
  t.equal(count('SELECT'), 3)
  t.equal(count('DELETE'), 2)
})

t.test('counts errors by Prisma\'s code, and leaves them as they are', async t => {
  const { bare, prisma, count, errors } = await open(t)
  await bare.task.deleteMany()
  await bare.task.create({ data: { id: 1, title: 'one' } })
  const [error, expected] = [await rejection(prisma.task.create({ data: { id: 2, title: 'one' } })), await rejection(bare.task.create({ data: { id: 2, title: 'one' } }))]
  t.equal(error.code, 'P2002')
  t.equal(error.constructor, expected.constructor)
  t.strictSame(Object.keys(error).sort(), Object.keys(expected).sort())
  t.equal(count('create', 'Task', 'error'), 1)
  t.equal(errors('create', 'P2002'), 1)
  await rejection(prisma.task.findUniqueOrThrow({ where: { id: 99 } }))
  t.equal(errors('findUniqueOrThrow', 'P2025'), 1)
  await rejection(prisma.task.findMany({ where: { nothing: 1 } }))
  t.equal(errors('findMany', 'PrismaClientValidationError'), 1)
  await rejection(prisma.$queryRawUnsafe('select nothing from "Task"'))
  t.equal(errors('SELECT', 'P2010'), 1)
})

t.test('counts transactions of both forms, and what they do', async t => {
  const { prisma, count, ended } = await open(t)
  await prisma.task.deleteMany()
  const [made, all] = await prisma.$transaction([prisma.task.create({ data: { id: 1, title: 'one' } }), prisma.task.findMany()])
  t.strictSame(all, [made])
  t.equal(await prisma.$transaction(async (tx: PrismaClient) => {
    await tx.task.create({ data: { id: 2, title: 'two' } })
    return 'result'
  }), 'result')
  t.equal(ended('committed'), 2)
  t.equal(count('create'), 2)
  t.match(await rejection(prisma.$transaction(async (tx: PrismaClient) => {
    await tx.task.create({ data: { id: 3, title: 'three' } })
    throw new Error('changed my mind')
  })), { message: 'changed my mind' })
  t.match(await rejection(prisma.$transaction([prisma.task.create({ data: { id: 4, title: 'four' } }), prisma.task.create({ data: { id: 4, title: 'again' } })])), { code: 'P2002' })
  t.equal(ended('rolled_back'), 2)
  t.equal(await prisma.task.count(), 2, 'they were rolled back')
})

t.test('counts a server that cannot be reached, and no transaction on it', async t => {
  const { prisma, errors, ended } = await open(t, `postgresql://postgres@127.0.0.1:${await freePort()}/postgres`)
  const { code = '' } = await rejection(prisma.task.findMany())
  t.equal(errors('findMany', code), 1)
  await rejection(prisma.$transaction([prisma.task.findMany()]))
  await rejection(prisma.$transaction(async () => {}))
  t.equal(ended('rolled_back'), 0)
})

t.test('counts 2,000 operations in parallel, each once', async t => {
  const { prisma, count, duration } = await open(t)
  await prisma.task.deleteMany()
  const numbers = Array.from({ length: 2_000 }, (_, i) => i)
  let refused = 0
  let seconds = 0
  await Promise.all(Array.from({ length: 20 }, async () => {
    for (let i = numbers.pop(); i !== undefined; i = numbers.pop()) {
      const before = performance.now()
      if (i % 10 !== 0) await prisma.task.findMany({ where: { id: i } })
      else await prisma.task.create({ data: { id: i, title: String(i % 20) + (i % 20 === 0 ? '' : i) } }).catch(() => refused++)
      seconds += (performance.now() - before) / 1_000
    }
  }))
  t.equal(refused, 99)
  t.equal(count('findMany'), 1_800)
  t.equal(count('create'), 101)
  t.equal(count('create', 'Task', 'error'), 99)
  t.ok(duration('findMany').sum + duration('create').sum <= seconds)
})

t.test('uninstrument() leaves the extended client usable, and counts no more', async t => {
  const { app, bare, prisma, count, ended } = await open(t)
  t.equal(app.vitals.instrument(bare, { name: NAME }), prisma, 'the same stands for it again')
  t.equal(app.vitals.instrument(prisma, { name: NAME }), prisma)
  await prisma.task.count()
  t.equal(app.vitals.uninstrument(prisma), true)
  await prisma.task.count()
  await prisma.$transaction([prisma.task.count()])
  t.equal(count('count'), 1)
  t.equal(ended('committed'), 0)
  t.equal(app.vitals.uninstrument(bare), false)
  const again = app.vitals.instrument(bare, { name: NAME }) as PrismaClient
  await again.task.count()
  t.equal(count('count'), 2)
})

t.test('works with the application\'s own extensions, before it and after it', async t => {
  const { bare, app } = await open(t)
  const seen: string[] = []
  const own = { query: { $allModels: { async count ({ args, query }: { args: unknown, query: (args: unknown) => Promise<unknown> }) { seen.push('own'); return await query(args) } } } }
  const before = app.vitals.instrument(bare.$extends(own), { name: 'before' }) as PrismaClient
  const after = (app.vitals.instrument(new generated.PrismaClient({ adapter: new PrismaPg({ connectionString: server.url }) }), { name: 'after' }) as PrismaClient).$extends(own)
  t.teardown(() => after.$disconnect())
  for (const client of [before, after]) await client.task.count()
  t.strictSame(seen, ['own', 'own'])
  for (const client of ['before', 'after']) t.equal(app.vitals.read('db_queries_total', { system: 'postgresql', client, operation: 'count', table: 'Task', status: 'success' }), 1)
})

t.test('counts what it cannot tell', async t => {
  const { app, bare, prisma, errors } = await open(t)
  await rejection(prisma.$queryRawUnsafe(undefined as never))
  t.equal(app.vitals.read('db_queries_total', { system: 'postgresql', client: NAME, operation: '$queryRawUnsafe', table: 'other', status: 'error' }), 1)
  t.equal(errors('$queryRawUnsafe', 'P2010'), 0)
  app.vitals.uninstrument(prisma)
  const other = app.vitals.instrument(Object.assign(bare, { _activeProvider: 'of another time' }), { name: NAME }) as PrismaClient
  await other.task.count()
  t.equal(app.vitals.read('db_queries_total', { system: 'other_sql', client: NAME, operation: 'count', table: 'Task', status: 'success' }), 1)
})
