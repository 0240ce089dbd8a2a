import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import type { HistogramValue } from '../../../lib/index.ts'
import { freePort } from '../../support/free-port.ts'
import { isCollected } from '../../support/garbage.ts'
import type { RedisServer } from '../../support/redis-server.ts'

/** How a client is opened. */
export interface CacheOpening {
  readonly port: number
  /** ms after which the library gives a command up; `undefined` is never. */
  readonly timeoutMs?: number
  /** How often it tries to connect before it gives up. @default for ever */
  readonly attempts?: number
}

/** A client that is open. */
export interface CacheSession {
  /** What the application instruments. */
  readonly client: object
  get (key: string): Promise<unknown>
  set (key: string, value: string): Promise<unknown>
  /** Resolves once it is connected. */
  connect? (): Promise<unknown>
  /** A `lpush` on what is no list. */
  fail? (key: string): Promise<unknown>
  /** A `blpop` on `contract-list` of database 1, which is not there: it waits on the server. */
  block? (): Promise<unknown>
  /** `set`, `get`, `get` of a key that is not there and `lpush` on what is no list, in one pipeline; settles with what the library gives. */
  pipeline? (key: string): Promise<unknown>
  /** The same in a transaction. */
  transaction? (key: string): Promise<unknown>
  close (): Promise<unknown>
}

/** One form of one client under the contract. */
export interface CacheSubject {
  /** As test names say it: `ioredis 6`. */
  readonly title: string
  /** Where it is no cache in this process. */
  readonly server?: RedisServer
  open (opening: CacheOpening): CacheSession
  /** What a `get` is counted as that never got to a connection. @default get */
  readonly unsent?: string
  /** What instrumentation may touch, so that it can be seen to be back. */
  readonly touched: readonly string[]
  /** What carries it. @default the client */
  carrier? (client: object): object
}

const NAME = 'session'
const SECRET = 'secret-key-of-somebody'

interface Instrumented extends CacheSession {
  readonly app: FastifyInstance
  count (operation: string, status: string): number
  hits (): number
  misses (): number
  duration (operation: string): HistogramValue | undefined
  /** `health_dependency_status` */
  health (): Promise<number | undefined>
}

/** What every cache client must do, against its real server where it has one. */
export function cacheContract (t: Test, subject: CacheSubject): void {
  const { server, carrier = client => client } = subject

  async function open (t: Test, opening: Partial<CacheOpening> = {}): Promise<Instrumented> {
    const session = subject.open({ port: server?.port ?? 0, ...opening })
    const app = fastify()
    await app.register(vitals, { enabled: true, endpoint: false })
    t.teardown(async () => {
      await session.close()
      await app.close()
    })
    t.equal(app.vitals.instrument(session.client, { name: NAME }), session.client, 'the client comes back')
    const read = (metric: string, labels: Record<string, string> = {}): unknown => app.vitals.read(metric, { cache_type: NAME, ...labels })
    return {
      ...session,
      app,
      count: (operation, status) => read('cache_operations_total', { operation, status }) as number | undefined ?? 0,
      hits: () => read('cache_hits_total') as number | undefined ?? 0,
      misses: () => read('cache_misses_total') as number | undefined ?? 0,
      duration: operation => read('cache_operation_duration_seconds', { operation }) as HistogramValue | undefined,
      async health () {
        await app.vitals.render()
        return app.vitals.read('health_dependency_status', { dependency: NAME }) as number | undefined
      }
    }
  }

  async function openBare (t: Test): Promise<CacheSession> {
    const session = subject.open({ port: server?.port ?? 0 })
    t.teardown(() => session.close())
    await session.connect?.()
    return session
  }

  t.test(subject.title, async t => {
    await t.test('counts hits, misses and writes, with the results of the bare client', async t => {
      const bare = await openBare(t)
      const { get, set, connect, count, hits, misses, duration } = await open(t)
      await connect?.()
      const started = performance.now()
      const written = await set('a', '1')
      const writeSeconds = (performance.now() - started) / 1_000
      t.same(written, await bare.set('a', '1'))
      t.same(await get('a'), await bare.get('a'))
      t.same(await get('missing'), await bare.get('missing'))
      t.equal(count('set', 'success'), 1)
      t.equal(count('get', 'hit'), 1)
      t.equal(count('get', 'miss'), 1)
      t.equal(hits(), 1)
      t.equal(misses(), 1)
      t.equal(duration('get')?.count, 2)
      t.ok(duration('set')!.sum > 0 && duration('set')!.sum <= writeSeconds, 'the duration is within the measure of the caller')
    })

    await t.test('counts 10,000 operations in parallel, each once, and shows no key', async t => {
      const { app, get, set, fail, connect, count, hits, misses, duration } = await open(t)
      await connect?.()
      await set(SECRET, 'x')
      const ledger = { hits: 0, misses: 0, sets: 1, errors: 0, seconds: 0 }
      const operations = Array.from({ length: 10_000 }, (_, i) => i)
      const line = async (): Promise<void> => {
        for (let i = operations.pop(); i !== undefined; i = operations.pop()) {
          const started = performance.now()
          if (i % 10 === 0) {
            await set(`key-${i}`, 'x')
            ledger.sets++
          } else if (i % 10 === 1) {
            await get(`missing-${i}`)
            ledger.misses++
          } else if (i % 10 === 2 && fail !== undefined) {
            await rejection(fail(SECRET))
            ledger.errors++
          } else {
            await get(SECRET)
            ledger.hits++
          }
          ledger.seconds += (performance.now() - started) / 1_000
        }
      }
      await Promise.all(Array.from({ length: 50 }, line))
      t.equal(count('set', 'success'), ledger.sets)
      t.equal(count('get', 'hit'), ledger.hits)
      t.equal(count('get', 'miss'), ledger.misses)
      t.equal(count('lpush', 'error'), ledger.errors)
      t.same([hits(), misses()], [ledger.hits, ledger.misses])
      const durations = ['get', 'set', 'lpush'].map(duration).filter(duration => duration !== undefined)
      t.equal(durations.reduce((sum, { count }) => sum + count, 0), 10_001)
      t.ok(durations.reduce((sum, { sum: seconds }) => sum + seconds, 0) <= ledger.seconds + duration('set')!.sum, 'the durations are within the measure of the callers')
      t.notOk((await app.vitals.render()).includes(SECRET))
    })

    await t.test('a client that is dropped can be collected; what it counted stays', async t => {
      const { app } = await open(t)
      const dropped = await (async () => {
        const other = subject.open({ port: server?.port ?? 0 })
        app.vitals.instrument(other.client, { name: 'dropped' })
        await other.connect?.()
        await other.get('missing')
        await app.vitals.render()
        await other.close()
        return new WeakRef(carrier(other.client))
      })()
      t.ok(await isCollected(dropped))
      await app.vitals.render()
      t.equal(app.vitals.read('health_dependency_status', { dependency: 'dropped' }), undefined)
      t.equal(app.vitals.read('cache_size', { cache_type: 'dropped' }), undefined)
      t.equal(app.vitals.read('cache_misses_total', { cache_type: 'dropped' }), 1)
    })

    await t.test('uninstrument() and close() leave the client as it was', async t => {
      const bare = await openBare(t)
      await bare.get('missing')
      const before = ownProperties(carrier(bare.client), subject.touched)
      const app = fastify()
      await app.register(vitals, { enabled: true, endpoint: false })
      const counted = (): unknown => app.vitals.read('cache_misses_total', { cache_type: NAME })
      app.vitals.instrument(bare.client, { name: NAME })
      app.vitals.instrument(bare.client, { name: NAME })
      await bare.get('missing')
      t.equal(counted(), 1, 'instrumented twice is instrumented once')
      t.equal(app.vitals.uninstrument(bare.client), true)
      t.equal(app.vitals.uninstrument(bare.client), false)
      await bare.get('missing')
      t.equal(counted(), 1)
      t.same(ownProperties(carrier(bare.client), subject.touched), before)
      app.vitals.instrument(bare.client, { name: NAME })
      await bare.get('missing')
      t.equal(counted(), 2, 'it can be instrumented again')
      await app.close()
      await bare.get('missing')
      t.equal(counted(), 2)
      t.same(ownProperties(carrier(bare.client), subject.touched), before)
    })

    await t.test('two applications count each for itself, and leave the client as it was in any order', async t => {
      const bare = await openBare(t)
      await bare.get('missing')
      const before = ownProperties(carrier(bare.client), subject.touched)
      const apps = [fastify(), fastify()] as const
      for (const app of apps) {
        t.teardown(() => app.close())
        await app.register(vitals, { enabled: true, endpoint: false })
      }
      const counted = (): unknown[] => apps.map(({ vitals }) => vitals.read('cache_misses_total', { cache_type: NAME }))
      for (const app of apps) app.vitals.instrument(bare.client, { name: NAME })
      await bare.get('missing')
      t.same(counted(), [1, 1])
      for (const [i, app] of apps.entries()) {
        app.vitals.uninstrument(bare.client)
        await bare.get('missing')
        t.same(counted(), [1, 2], `without the first ${i + 1}`)
      }
      t.same(ownProperties(carrier(bare.client), subject.touched), before)
    })

    if (server === undefined) return

    await t.test('counts an error of the server, and leaves the error as it is', async t => {
      const bare = await openBare(t)
      const { set, fail, connect, count, duration } = await open(t)
      await connect!()
      await set('text', 'x')
      const error = await rejection(fail!('text'))
      const expected = await rejection(bare.fail!('text'))
      t.equal(error.constructor, expected.constructor)
      t.equal(error.message, expected.message)
      t.same(Object.keys(error), Object.keys(expected))
      t.equal(count('lpush', 'error'), 1)
      t.equal(count('lpush', 'success'), 0)
      t.equal(duration('lpush')?.count, 1)
    })

    await t.test('counts the commands of a pipeline and of a transaction, each by its own reply', async t => {
      const bare = await openBare(t)
      const { pipeline, transaction, connect, count, hits, misses, duration } = await open(t)
      await connect!()
      t.same(await settled(pipeline!('p')), await settled(bare.pipeline!('p')))
      t.same(await settled(transaction!('p')), await settled(bare.transaction!('p')))
      t.equal(count('set', 'success'), 2)
      t.equal(count('get', 'hit'), 2)
      t.equal(count('get', 'miss'), 2)
      t.equal(count('lpush', 'error'), 2)
      t.same([hits(), misses()], [2, 2])
      t.equal(duration('multi'), undefined, 'a transaction is its commands')
      t.equal(duration('exec'), undefined)
    })

    await t.test('counts what finds no server, and says that it is down', async t => {
      const { get, connect, count, health } = await open(t, { port: await freePort(), attempts: 2 })
      await Promise.allSettled([connect!()])
      t.equal(await health(), 0)
      await rejection(get('a'))
      t.equal(count(subject.unsent ?? 'get', 'error'), 1)
    })

    await t.test('counts a command that the library gives up', async t => {
      const other = await openBare(t)
      const { get, connect, count, duration } = await open(t, { timeoutMs: 50 })
      await connect!()
      // The server answers nobody until the pause is over.
      await server.pause(400)
      await rejection(get('a'))
      t.equal(count('get', 'error'), 1)
      await other.get('a')
      await get('a').catch(() => {})
      t.equal(duration('get')?.count, 2, 'its late answer is not counted')
    })

    await t.test('counts what a killed server breaks off, once, and goes on when it is back', async t => {
      const { get, set, block, connect, count, duration, health } = await open(t)
      await connect!()
      t.equal(await health(), 1)
      await server.run('SELECT 1\r\nDEL contract-list')
      const broken = block!().then(() => 'answered', () => 'broken')
      await server.isBlocking()
      await server.kill()
      while (await health() !== 0) await new Promise(resolve => setImmediate(resolve))
      await server.start()
      while (await health() !== 1) await new Promise(resolve => setTimeout(resolve, 5))
      // Where the library sends it again, it waits again.
      await server.run('SELECT 1\r\nLPUSH contract-list x')
      t.match(await broken, /answered|broken/)
      await set('back', '1')
      await get('back')
      t.equal(count('set', 'success'), 1)
      t.equal(count('get', 'hit'), 1)
      t.equal(count('blpop', 'error') + count('blpop', 'success'), 1)
      t.equal(duration('client'), undefined, 'what the library sends at a connection is its own')
      t.equal(duration('hello'), undefined)
      t.equal(duration('info'), undefined)
      t.equal(duration('select'), undefined)
    })
  })
}

export async function rejection (promise: Promise<unknown>): Promise<Error> {
  return await promise.then(() => { throw new Error('It did not fail') }, (error: Error) => error)
}

async function settled (promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(value => ({ value }), (error: Error) => ({ error: error.message }))
}

function ownProperties (client: object, names: readonly string[]): unknown {
  return names.map(name => [name, Object.getOwnPropertyDescriptor(client, name), (client as Record<string, unknown>)[name]])
}
