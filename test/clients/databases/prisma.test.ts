import { once } from 'node:events'
import { connect as connectTo, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { PrismaPg } from '@prisma/adapter-pg'
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import type { HistogramValue } from '../../../lib/index.ts'
import { freePort } from '../../support/free-port.ts'
import { parseSamples } from '../../support/samples.ts'
import { failureOf } from './support/examples.ts'
import { startPostgres } from './support/postgres-server.ts'
import { generatePrisma } from './support/prisma-client.ts'
import type { PrismaClient } from './support/prisma-client.ts'
import { isBusy } from './support/sleeping.ts'

const server = await startPostgres(t)
const generated = generatePrisma(t)
const NAME = 'primary'

/** How the adapter makes its pool. */
interface PoolOptions {
  readonly connectionString?: string
  readonly max?: number
  readonly connectionTimeoutMillis?: number
  readonly statement_timeout?: number
}

const connect = (options: PoolOptions = {}): PrismaClient => new generated.PrismaClient({ adapter: new PrismaPg({ connectionString: server.url, ...options }) })

type Given = (client: PrismaClient) => PrismaClient

/** As a client is, and as one would be that has no more than what is public. */
const GIVEN: Record<string, Given> = {
  'as it is': client => client,
  'by its public methods': client => new Proxy(client, { get: (target, key) => key === '_executeRequest' ? undefined : Reflect.get(target, key) as unknown })
}

async function open (t: Test, options: PoolOptions = {}, given: Given = client => client) {
  const bare = connect(options)
  const app = fastify()
  await app.register(vitals, { enabled: true, endpoint: false })
  t.teardown(async () => {
    await bare.$disconnect()
    await app.close()
  })
  const prisma = app.vitals.instrument(given(bare), { name: NAME }) as PrismaClient
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

const SLEEP = 'select pg_sleep(60)::text'

/** Resolves when the server works on {@link SLEEP}; ends it where asked to. */
const isSleeping = async (isToEnd = false): Promise<void> => await isBusy({
  system: 'postgresql',
  open: ({ max }) => {
    const watcher = connect({ max })
    return { client: watcher, run: sql => watcher.$queryRawUnsafe(sql), close: () => watcher.$disconnect() }
  },
  rows: result => result
}, server.port, isToEnd)

t.before(async () => {
  const prisma = connect()
  await prisma.$executeRawUnsafe('create table "Task" (id integer primary key, title text not null unique)')
  await prisma.$disconnect()
})

for (const [how, given] of Object.entries(GIVEN)) {
  t.test(`counts operations by model and action, within the measure of the caller: ${how}`, async t => {
    const { bare, prisma, count, duration } = await open(t, {}, given)
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
}

for (const [how, given] of Object.entries(GIVEN)) {
  t.test(`counts raw statements like those of a driver: ${how}`, async t => {
    const { prisma, count } = await open(t, {}, given)
    const id = 5
    t.strictSame(await prisma.$queryRaw`select id from "Task" where id = ${id}`, [])
    await prisma.$queryRaw(generated.Prisma.sql`select title from "Task" where id = ${id}`)
    await prisma.$queryRawUnsafe('select 1 as one from "Task" where id = $1', id)
    t.equal(await prisma.$executeRaw`delete from "Task" where id = ${id}`, 0)
    t.equal(await prisma.$executeRawUnsafe('delete from "Task" where id = $1', id), 0)
    t.equal(count('SELECT'), 3)
    t.equal(count('DELETE'), 2)
  })
}

for (const [how, given] of Object.entries(GIVEN)) {
  t.test(`counts errors by Prisma's code, and leaves them as they are: ${how}`, async t => {
    const { bare, prisma, count, errors } = await open(t, {}, given)
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
}

for (const [how, given] of Object.entries(GIVEN)) {
  t.test(`counts transactions of both forms, and what they do: ${how}`, async t => {
    const { prisma, count, ended } = await open(t, {}, given)
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
}

for (const [how, given] of Object.entries(GIVEN)) {
  t.test(`counts transactions of what the application extends further, each once: ${how}`, async t => {
    const { app, prisma, count, ended } = await open(t, {}, given)
    const plain = prisma.$extends({ model: { task: { answer: () => 42 } } })
    const twice = plain.$extends((client: PrismaClient) => client.$extends({ name: 'inner' })).$extends({ name: 'outer' })
    const own = plain.$extends({
      client: {
        async $transaction (work: unknown) { return await plain.$transaction(work) }
      }
    })
    t.equal((plain.task as unknown as { answer (): number }).answer(), 42)
    const ownByFunction = plain.$extends((client: PrismaClient) => client.$extends({
      client: {
        async $transaction (work: unknown) { return await plain.$transaction(work) }
      }
    })).$extends({ name: 'outer' })
    for (const [i, client] of [plain, twice, own, ownByFunction].entries()) {
      await client.$transaction([client.task.count()])
      await client.$transaction(async (tx: PrismaClient) => { await tx.task.count() })
      await rejection(client.$transaction(async () => { throw new Error('changed my mind') }))
      t.same([ended('committed'), ended('rolled_back'), count('count')], [2 * (i + 1), i + 1, 2 * (i + 1)])
    }
    t.equal(app.vitals.uninstrument(prisma), true)
    for (const client of [prisma, plain, ownByFunction]) t.same(await client.$transaction([client.task.count()]), [await client.task.count()])
    t.same([ended('committed'), ended('rolled_back'), count('count')], [8, 4, 8])
  })
}

t.test('leaves a $transaction() of nothing that can be one as it is, and counts none', async t => {
  const { bare, prisma, ended } = await open(t)
  const thrown = (client: PrismaClient, work: unknown): unknown => {
    try {
      return client.$transaction(work)
    } catch (error) {
      return String(error)
    }
  }
  for (const work of [[Promise.resolve()], undefined]) {
    t.type(thrown(bare, work), 'string')
    t.equal(thrown(prisma, work), thrown(bare, work))
  }
  t.same(await prisma.$transaction([]), await bare.$transaction([]))
  t.same([ended('committed'), ended('rolled_back')], [0, 0])
})

t.test('counts a transaction inside of another with that one', async t => {
  const { prisma, count, ended } = await open(t)
  await prisma.$transaction(async (tx: PrismaClient) => {
    await tx.$transaction(async (inner: PrismaClient) => await inner.task.count())
    await rejection(tx.$transaction(async () => { throw new Error('changed my mind') }))
    await tx.$transaction([tx.task.count()])
  })
  t.equal(count('count'), 2)
  t.equal(ended('committed'), 1)
  t.equal(ended('rolled_back'), 0)
})

t.test('counts a server that cannot be reached, and no transaction on it', async t => {
  const { bare, prisma, count, errors, ended } = await open(t, { connectionString: `postgresql://postgres@127.0.0.1:${await freePort()}/postgres` })
  const failures = async (client: PrismaClient): Promise<unknown[]> => [
    await failureOf(client.task.findMany()),
    await failureOf(client.$queryRawUnsafe('select 1')),
    await failureOf(client.$transaction([client.task.findMany()])),
    await failureOf(client.$transaction([client.$queryRawUnsafe('select 1')])),
    await failureOf(client.$transaction(async () => {}))
  ]
  t.same(await failures(prisma), await failures(bare))
  t.equal(count('findMany', 'Task', 'error'), 2)
  t.equal(errors('findMany', 'P1001'), 2)
  t.equal(count('SELECT', 'other', 'error'), 2)
  t.equal(errors('SELECT', 'P2010'), 2)
  t.equal(ended('rolled_back'), 0)
})

t.test('counts what the server breaks off, and the next ones when it is back', async t => {
  const { bare, prisma, app, count, ended } = await open(t)
  const broken = async (started: Promise<unknown>): Promise<unknown> => {
    const failure = failureOf(started)
    await isSleeping()
    await server.kill()
    return await failure
  }
  const forms: ((client: PrismaClient) => Promise<unknown>)[] = [
    client => client.$queryRawUnsafe(SLEEP),
    client => client.$transaction([client.task.count(), client.$queryRawUnsafe(SLEEP)]),
    client => client.$transaction((tx: PrismaClient) => tx.$queryRawUnsafe(SLEEP), { timeout: 60_000 })
  ]
  let failures = 0
  for (const form of forms) {
    const expected = await broken(form(bare))
    await server.start()
    t.same(await broken(form(prisma)), expected)
    const whileDown = async (client: PrismaClient): Promise<unknown> => await failureOf(client.task.findMany())
    t.same(await whileDown(prisma), await whileDown(bare))
    failures++
    await server.start()
    // A pool may still hold connections that it has not seen break.
    while (await prisma.task.findMany().then(() => false, () => true)) failures++
    while (await bare.task.findMany().then(() => false, () => true));
  }
  t.equal(count('SELECT', 'other', 'error'), 3)
  const samples = parseSamples(await app.vitals.render()).filter(({ name, labels }) => name === 'db_query_errors_total' && labels['operation'] === 'SELECT')
  t.equal(samples.reduce((sum, { value }) => sum + value, 0), 3)
  t.equal(count('findMany', 'Task', 'error'), failures)
  t.equal(count('findMany'), 3)
  t.equal(ended('rolled_back'), 2)
  t.equal(ended('committed'), 0)
})

t.test('counts no transaction of an array that waited too long for a connection', async t => {
  const { bare, prisma, ended } = await open(t, { max: 1 })
  let wasAsked: unknown[] = []
  await prisma.$transaction(async () => {
    wasAsked = await Promise.all([prisma, bare].map(async client => await failureOf(client.$transaction([client.task.count(), client.task.findMany()], { maxWait: 50 }))))
  })
  t.match(wasAsked[0], ['PrismaClientKnownRequestError', /./, /Unable to start a transaction/])
  t.same(wasAsked[0], wasAsked[1])
  t.same([ended('committed'), ended('rolled_back')], [1, 0])
})

t.test('counts a transaction whose connection is reset as rolled back, in both forms', async t => {
  const sockets = new Set<Socket>()
  const relay = createServer(socket => {
    const onward = connectTo(Number(new URL(server.url).port), '127.0.0.1')
    sockets.add(socket)
    for (const end of [socket, onward]) end.on('error', () => {}).on('close', () => [socket, onward].forEach(other => other.destroy()))
    socket.pipe(onward).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(relay, 'listening')
  const url = new URL(server.url)
  url.port = String((relay.address() as AddressInfo).port)
  const { bare, prisma, ended } = await open(t, { connectionString: url.href })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    relay.close()
  })
  const watching = connect()
  await watching.$executeRawUnsafe('create function hold() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return null; end $$')
  await watching.$executeRawUnsafe('create constraint trigger held after insert on "Task" deferrable initially deferred for each row execute function hold()')
  t.teardown(async () => {
    await watching.$executeRawUnsafe('drop function hold() cascade')
    await watching.$disconnect()
  })
  const data = { id: 99, title: 'held' }
  const forms: Record<string, (client: PrismaClient) => Promise<unknown>> = {
    'an array, at a statement': client => client.$transaction([client.$queryRawUnsafe(SLEEP)]),
    'an array, at its COMMIT': client => client.$transaction([client.task.create({ data })]),
    'a function, at a statement': client => client.$transaction((tx: PrismaClient) => tx.$queryRawUnsafe(SLEEP)),
    'a function, at its COMMIT': client => client.$transaction((tx: PrismaClient) => tx.task.create({ data }))
  }
  let rolledBack = 0
  for (const [form, run] of Object.entries(forms)) {
    const reset = async (client: PrismaClient): Promise<unknown> => {
      const failure = failureOf(run(client))
      const active = 'from pg_stat_activity where pid <> pg_backend_pid() and wait_event = \'PgSleep\''
      while ((await watching.$queryRawUnsafe(`select pid ${active}`) as unknown[]).length === 0);
      for (const socket of sockets) socket.resetAndDestroy()
      const failed = await failure
      await watching.$queryRawUnsafe(`select pg_terminate_backend(pid, 60000) ${active}`)
      return failed
    }
    t.same(await reset(prisma), await reset(bare))
    t.equal(ended('rolled_back'), ++rolledBack, form)
  }
  t.equal(ended('committed'), 0)
})

t.test('counts what the server gives up by its statement_timeout', async t => {
  const { bare, prisma, count, errors, ended } = await open(t, { statement_timeout: 500 })
  const onServer = async (client: PrismaClient): Promise<unknown[][]> => [
    await failureOf(client.$queryRawUnsafe(SLEEP)),
    await failureOf(client.$transaction([client.task.count(), client.$queryRawUnsafe(SLEEP)])),
    await failureOf(client.$transaction(async (tx: PrismaClient) => await tx.$queryRawUnsafe(SLEEP)))
  ]
  const failures = await onServer(prisma)
  t.same(failures, await onServer(bare))
  for (const [, , message] of failures) t.match(message, 'Code: `57014`')
  t.equal(count('SELECT', 'other', 'error'), 3)
  t.equal(errors('SELECT', 'P2010'), 3)
  t.equal(ended('rolled_back'), 2)
})

t.test('counts an interactive transaction that runs out of its own time', async t => {
  const { bare, prisma, count, errors, ended } = await open(t)
  // How long it took is in the error.
  const inTransaction = async (client: PrismaClient): Promise<unknown> => JSON.parse(JSON.stringify([
    await failureOf(client.$transaction(async (tx: PrismaClient) => {
      await tx.$queryRawUnsafe('select pg_sleep(1)::text')
      return await tx.task.findMany()
    }, { timeout: 500 })),
    await failureOf(client.$transaction(async (tx: PrismaClient) => await tx.$queryRawUnsafe('select pg_sleep(1)::text'), { timeout: 500 }))
  ]).replace(/\d+(?= ms passed)|(?<="timeTaken":)\d+/g, '0'))
  t.same(await inTransaction(prisma), await inTransaction(bare))
  t.equal(errors('findMany', 'P2028'), 1)
  t.equal(count('SELECT', 'other'), 2, 'they came through')
  t.equal(ended('rolled_back'), 2)
  t.equal(ended('committed'), 0)
})

t.test('counts a wait for a connection of the adapter that is given up, and no transaction', async t => {
  const { bare, prisma, count, errors, ended } = await open(t, { max: 1, connectionTimeoutMillis: 500 })
  const exhausted = async (client: PrismaClient): Promise<unknown[]> => {
    const holding = failureOf(client.$queryRawUnsafe(SLEEP))
    await isSleeping()
    const failures = [
      await failureOf(client.task.findMany()),
      await failureOf(client.$transaction([client.task.findMany()])),
      await failureOf(client.$transaction(async () => {})),
      await failureOf(client.$transaction(async () => {}, { maxWait: 50 }))
    ]
    await isSleeping(true)
    return [...failures, await holding, await client.task.count()]
  }
  t.same(await exhausted(prisma), await exhausted(bare))
  t.equal(count('findMany', 'Task', 'error'), 2)
  t.equal(errors('findMany', 'Error'), 2)
  t.equal(count('SELECT', 'other', 'error'), 1)
  t.equal(count('count'), 1)
  t.equal(ended('rolled_back'), 0)
})

t.test('counts 10,000 operations in parallel, each once', async t => {
  const { bare, prisma, app, duration, errors, ended } = await open(t)
  await bare.task.deleteMany()
  await bare.task.create({ data: { id: -1, title: 'taken' } })
  const ledger: Record<string, number> = {}
  const forms: [operation: string, table: string, run: (i: number) => Promise<unknown>][] = [
    ['create', 'Task', i => prisma.task.create({ data: { id: i, title: i % 20 === 0 ? 'taken' : String(i) } })],
    ['update', 'Task', i => prisma.task.update({ where: { id: i % 20 === 1 ? -2 : -1 }, data: { title: 'taken' } })],
    ['SELECT', 'Task', i => prisma.$queryRaw`select title from "Task" where id = ${i}`],
    ['count', 'Task', () => prisma.$transaction([prisma.task.count()])],
    ['findFirst', 'Task', i => prisma.$transaction(async (tx: PrismaClient) => {
      await tx.task.findFirst()
      if (i % 20 === 4) throw new Error('changed my mind')
    }, { maxWait: 60_000, timeout: 60_000 })]
  ]
  const find: typeof forms[number] = ['findMany', 'Task', i => prisma.task.findMany({ where: { id: i } })]
  const numbers = Array.from({ length: 10_000 }, (_, i) => i)
  let seconds = 0
  await Promise.all(Array.from({ length: 20 }, async () => {
    for (let i = numbers.pop(); i !== undefined; i = numbers.pop()) {
      const [operation, table, run] = forms[i % 10] ?? find
      const before = performance.now()
      const status = await run(i).then(() => 'success', ({ message }: Error) => message === 'changed my mind' ? 'success' : 'error')
      seconds += (performance.now() - before) / 1_000
      const line = `${operation} ${table} ${status}`
      ledger[line] = (ledger[line] ?? 0) + 1
    }
  }))
  const samples = parseSamples(await app.vitals.render()).filter(({ name }) => name === 'db_queries_total')
  t.same(Object.fromEntries(samples.map(({ labels, value }) => [`${labels['operation']} ${labels['table']} ${labels['status']}`, value])), ledger)
  t.match(ledger, { 'findMany Task success': 5_000, 'create Task error': 500, 'update Task error': 500 })
  t.equal(errors('create', 'P2002'), 500)
  t.equal(errors('update', 'P2025'), 500)
  t.equal(ended('committed'), 1_500)
  t.equal(ended('rolled_back'), 500)
  const durations = ['create', 'update', 'SELECT', 'count', 'findFirst', 'findMany'].map(operation => duration(operation))
  t.equal(durations.reduce((sum, { count }) => sum + count, 0), 10_000)
  t.ok(durations.reduce((sum, each) => sum + each.sum, 0) <= seconds, 'the durations are within the measure of the callers')
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
  const after = (app.vitals.instrument(connect(), { name: 'after' }) as PrismaClient).$extends(own)
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
