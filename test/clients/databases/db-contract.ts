import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import type { HistogramValue } from '../../../lib/index.ts'
import { isCollected } from '../../support/garbage.ts'
import { freePort } from '../../support/free-port.ts'
import { isBusy } from './support/sleeping.ts'

/** A database server that the suite may kill and start again; an embedded database has none. */
export interface DbServer {
  readonly port: number
  start (): Promise<void>
  kill (): Promise<void>
}

/** How a client is opened. */
export interface Opening {
  readonly port: number
  /** Connections at the most. */
  readonly max: number
  /** ms to wait for a connection; 0 waits for ever. */
  readonly connectTimeoutMs: number
}

/** A client that is open. */
export interface DbSession {
  /** What the application instruments. */
  readonly client: object
  /** Runs one statement in the form that the subject is about; resolves or rejects with what the library gives. */
  run (sql: string): Promise<unknown>
  /** Runs statements on one connection, in order, each awaited; the connection goes back afterwards, also when one fails. */
  runTogether? (statements: readonly string[]): Promise<unknown>
  close (): Promise<void>
}

/** One form of one client under the contract. */
export interface DbSubject {
  /** As test names say it: `pg Pool with promises`. */
  readonly title: string
  readonly system: string
  readonly server: DbServer | undefined
  /** Does not connect yet. */
  open (opening: Opening): DbSession
  /** Whether it has a pool, with its gauges. */
  readonly hasPool: boolean
  /** Its pool gives up no wait for a connection. */
  readonly waitsForEver?: boolean
  /** A statement that runs for so many seconds on the server. */
  sleep (seconds: number): string
  /** What `db_query_errors_total` says of a duplicate key, of a server that refuses, and of one that breaks off. */
  readonly errorTypes: { readonly duplicate: string, readonly refused: string, readonly broken: readonly string[] }
  /** The rows of what `run` resolves with. */
  rows (result: unknown): unknown
  /** What the client carries that instrumentation may touch, so that it can be seen to be back. */
  readonly touched: readonly string[]
}

const NAME = 'primary'

interface Instrumented extends DbSession {
  readonly app: FastifyInstance
  count (metric: string, labels?: Record<string, string>): number
  duration (operation: string, table: string): HistogramValue | undefined
  gauge (metric: string): Promise<number | undefined>
}

/** What every database client must do, against its real server. */
export function dbContract (t: Test, subject: DbSubject): void {
  const { system, server, hasPool } = subject
  const port = server?.port ?? 0

  async function open (t: Test, opening: Partial<Opening> = {}): Promise<Instrumented> {
    const session = subject.open({ port, max: 4, connectTimeoutMs: 5_000, ...opening })
    const app = fastify()
    await app.register(vitals, { enabled: true, endpoint: false, limits: { seriesPerMetric: 200 } })
    t.teardown(async () => {
      await session.close()
      await app.close()
    })
    t.equal(app.vitals.instrument(session.client, { name: NAME }), session.client, 'the client comes back')
    const read = (metric: string, labels: Record<string, string>): unknown => app.vitals.read(metric, { system, client: NAME, ...labels })
    return {
      ...session,
      app,
      count: (metric, labels = {}) => read(metric, labels) as number | undefined ?? 0,
      duration: (operation, table) => read('db_query_duration_seconds', { operation, table }) as HistogramValue | undefined,
      gauge: async metric => {
        await app.vitals.render()
        return read(metric, {}) as number | undefined
      }
    }
  }

  async function prepare (t: Test): Promise<void> {
    const session = subject.open({ port, max: 1, connectTimeoutMs: 5_000 })
    t.teardown(() => session.close())
    await session.run('drop table if exists contract')
    await session.run('create table contract (id integer primary key, note varchar(50))')
    await session.run('insert into contract (id, note) values (0, \'zero\')')
  }

  t.test(subject.title, async t => {
    await prepare(t)

    await t.test('counts a query that succeeds, with the result of the bare client', async t => {
      const bare = subject.open({ port, max: 1, connectTimeoutMs: 5_000 })
      t.teardown(() => bare.close())
      const { run, count, duration } = await open(t)
      const started = performance.now()
      const result = await run('select id, note from contract where id = 0')
      const seconds = (performance.now() - started) / 1_000
      t.same(subject.rows(result), [{ id: 0, note: 'zero' }])
      t.same(subject.rows(result), subject.rows(await bare.run('select id, note from contract where id = 0')))
      t.equal(count('db_queries_total', { operation: 'SELECT', table: 'contract', status: 'success' }), 1)
      const recorded = duration('SELECT', 'contract')
      t.equal(recorded?.count, 1)
      t.ok(recorded!.sum > 0 && recorded!.sum <= seconds, 'the duration is within the measure of the caller')
    })

    await t.test('counts an error of the server by its code, and leaves the error as it is', async t => {
      const bare = subject.open({ port, max: 1, connectTimeoutMs: 5_000 })
      t.teardown(() => bare.close())
      const { run, count, duration } = await open(t)
      const duplicate = 'insert into contract (id) values (0)'
      const error = await rejection(run(duplicate))
      const expected = await rejection(bare.run(duplicate))
      t.equal(error.constructor, expected.constructor)
      t.equal(error.message, expected.message)
      t.same(Object.keys(error).sort(), Object.keys(expected).sort())
      t.equal(count('db_queries_total', { operation: 'INSERT', table: 'contract', status: 'error' }), 1)
      t.equal(count('db_queries_total', { operation: 'INSERT', table: 'contract', status: 'success' }), 0)
      t.equal(count('db_query_errors_total', { operation: 'INSERT', error_type: subject.errorTypes.duplicate }), 1)
      t.equal(duration('INSERT', 'contract')?.count, 1)
    })

    if (server !== undefined) {
      await t.test('counts a query that the server breaks off, and the next ones when it is back', async t => {
        const { run, count } = await open(t)
        await run('select 1 from contract')
        const broken = rejection(run(subject.sleep(60)))
        await isBusy(subject, port)
        await server.kill()
        await broken
        await server.start()
        const errors = subject.errorTypes.broken.reduce((sum, type) => sum + count('db_query_errors_total', { operation: 'SELECT', error_type: type }), 0)
        t.equal(errors, 1, 'by the code of what broke it')
        if (!hasPool) return
        // A pool may still hold connections that it has not seen break.
        let failures = 0
        while (await run('select 1 from contract').then(() => false, () => true)) failures++
        t.equal(count('db_queries_total', { operation: 'SELECT', table: 'contract', status: 'success' }), 2)
        t.equal(count('db_queries_total', { operation: 'SELECT', table: 'contract', status: 'error' }), failures)
      })
    }

    await t.test('counts 10,000 operations in parallel, each once', async t => {
      const { run, count, duration, gauge } = await open(t)
      const ledger = { selected: 0, inserted: 0, refused: 0, seconds: 0 }
      const operations = Array.from({ length: 10_000 }, (_, i) => i)
      const line = async (): Promise<void> => {
        for (let i = operations.pop(); i !== undefined; i = operations.pop()) {
          const started = performance.now()
          try {
            if (i % 10 === 0) {
              await run(`insert into contract (id) values (${i % 20 === 0 ? 0 : i})`)
              ledger.inserted++
            } else {
              await run('select note from contract where id = 0')
              ledger.selected++
            }
          } catch {
            ledger.refused++
          }
          ledger.seconds += (performance.now() - started) / 1_000
        }
      }
      await Promise.all(Array.from({ length: hasPool ? 20 : 1 }, line))
      t.equal(ledger.refused, 500)
      t.equal(count('db_queries_total', { operation: 'SELECT', table: 'contract', status: 'success' }), ledger.selected)
      t.equal(count('db_queries_total', { operation: 'INSERT', table: 'contract', status: 'success' }), ledger.inserted)
      t.equal(count('db_queries_total', { operation: 'INSERT', table: 'contract', status: 'error' }), ledger.refused)
      t.equal(count('db_query_errors_total', { operation: 'INSERT', error_type: subject.errorTypes.duplicate }), ledger.refused)
      const [selects, inserts] = [duration('SELECT', 'contract')!, duration('INSERT', 'contract')!]
      t.equal(selects.count + inserts.count, 10_000)
      t.ok(selects.sum + inserts.sum <= ledger.seconds, 'the durations are within the measure of the callers')
      if (!hasPool) return
      t.equal(await gauge('db_connection_pool_active'), 0)
      t.equal(await gauge('db_connection_pool_pending'), 0)
      t.equal(await gauge('db_connection_pool_max'), 4)
      t.equal(await gauge('db_connection_pool_size'), await gauge('db_connection_pool_idle'))
    })

    if (hasPool) {
      await t.test('counts a query that finds no server', async t => {
        const { run, count } = await open(t, { port: await freePort() })
        t.equal((await rejection(run('select 1 from contract')) as { code?: string }).code, 'ECONNREFUSED')
        t.equal(count('db_queries_total', { operation: 'SELECT', table: 'contract', status: 'error' }), 1)
        t.equal(count('db_query_errors_total', { operation: 'SELECT', error_type: subject.errorTypes.refused }), 1)
      })

      if (subject.waitsForEver !== true) {
        await t.test('counts a wait for a connection that is given up, and the query that waited', async t => {
          const { run, count, gauge } = await open(t, { max: 1, connectTimeoutMs: 500 })
          const holding = run(subject.sleep(60)).catch(() => {})
          await isBusy(subject, port)
          const waiting = rejection(run('select 1 from contract'))
          t.equal(await gauge('db_connection_pool_pending'), 1)
          t.equal(count('db_connection_pool_active'), 1)
          await waiting
          t.equal(count('db_connection_timeouts_total'), 1)
          t.equal(count('db_queries_total', { operation: 'SELECT', table: 'contract', status: 'error' }), 1)
          t.equal(await gauge('db_connection_pool_pending'), 0)
          await isBusy(subject, port, true)
          await holding
        })
      }

      await t.test('a pool that is dropped can be collected, and its gauges go', async t => {
        const { app, gauge } = await open(t)
        const dropped = await (async () => {
          const other = subject.open({ port, max: 3, connectTimeoutMs: 5_000 })
          app.vitals.instrument(other.client, { name: 'dropped' })
          await other.run('select 1 from contract')
          await gauge('db_connection_pool_max')
          t.equal(app.vitals.read('db_connection_pool_max', { system, client: 'dropped' }), 3)
          await other.close()
          // The promise wrapper of mysql2 goes before the pool that it wraps.
          const { pool } = other.client as { pool?: object }
          return [other.client, pool ?? other.client].map(each => new WeakRef(each))
        })()
        for (const each of dropped) t.ok(await isCollected(each))
        await gauge('db_connection_pool_max')
        t.equal(app.vitals.read('db_connection_pool_max', { system, client: 'dropped' }), undefined)
        t.equal(app.vitals.read('db_queries_total', { system, client: 'dropped', operation: 'SELECT', table: 'contract', status: 'success' }), 1, 'what was counted stays')
      })
    }

    const probe = subject.open({ port, max: 1, connectTimeoutMs: 5_000 })
    await probe.close()
    if (probe.runTogether !== undefined) {
      await t.test('counts transactions that are committed and rolled back', async t => {
        const { runTogether, count } = await open(t)
        await runTogether!(['begin', 'insert into contract (id) values (20000)', 'commit'])
        await runTogether!(['start transaction', 'insert into contract (id) values (20001)', 'rollback'])
        await runTogether!(['begin', 'savepoint a', 'rollback to savepoint a', 'commit'])
        await runTogether!(['commit', 'rollback'])
        t.equal(count('db_transactions_total', { status: 'committed' }), 2)
        t.equal(count('db_transactions_total', { status: 'rolled_back' }), 1)
      })
    }

    await t.test('uninstrument() and close() leave the client as it was', async t => {
      const bare = subject.open({ port, max: 4, connectTimeoutMs: 5_000 })
      t.teardown(() => bare.close())
      await bare.run('select 1 from contract')
      const before = ownProperties(bare.client, subject.touched)
      const app = fastify()
      await app.register(vitals, { enabled: true, endpoint: false })
      const counted = (): unknown => app.vitals.read('db_queries_total', { system, client: NAME, operation: 'SELECT', table: 'contract', status: 'success' })
      app.vitals.instrument(bare.client, { name: NAME })
      app.vitals.instrument(bare.client, { name: NAME })
      await bare.run('select 1 from contract')
      t.equal(counted(), 1, 'instrumented twice is instrumented once')
      t.equal(app.vitals.uninstrument(bare.client), true)
      t.equal(app.vitals.uninstrument(bare.client), false)
      await bare.run('select 1 from contract')
      t.equal(counted(), 1)
      t.same(ownProperties(bare.client, subject.touched), before)
      app.vitals.instrument(bare.client, { name: NAME })
      await bare.run('select 1 from contract')
      t.equal(counted(), 2, 'it can be instrumented again')
      await app.close()
      await bare.run('select 1 from contract')
      t.equal(counted(), 2)
      t.same(ownProperties(bare.client, subject.touched), before)
    })

    await t.test('counts nothing after uninstrument() where others have wrapped the client since', async t => {
      const bare = subject.open({ port, max: 4, connectTimeoutMs: 5_000 })
      t.teardown(() => bare.close())
      const expected = subject.rows(await bare.run('select note from contract'))
      const app = fastify()
      t.teardown(() => app.close())
      await app.register(vitals, { enabled: true, endpoint: false })
      const counted = (): unknown => app.vitals.read('db_queries_total', { system, client: NAME, operation: 'SELECT', table: 'contract', status: 'success' })
      app.vitals.instrument(bare.client, { name: NAME })
      const client = bare.client as Record<string, unknown>
      for (const name of subject.touched) {
        const ours = client[name]
        // Some are read-only.
        if (typeof ours === 'function' && Object.getOwnPropertyDescriptor(client, name)?.writable !== false) client[name] = function (...args: unknown[]): unknown { return Reflect.apply(ours, this, args) }
      }
      await bare.run('select 1 from contract')
      t.equal(counted(), 1)
      app.vitals.uninstrument(bare.client)
      t.same(subject.rows(await bare.run('select note from contract')), expected)
      t.equal(counted(), 1)
    })
  })
}

async function rejection (promise: Promise<unknown>): Promise<Error> {
  return await promise.then(() => { throw new Error('It did not fail') }, (error: Error) => error)
}

function ownProperties (client: object, names: readonly string[]): unknown {
  return names.map(name => [name, Object.getOwnPropertyDescriptor(client, name), (client as Record<string, unknown>)[name]])
}
