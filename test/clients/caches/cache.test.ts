import t from 'tap'
import { CacheClient } from '../../../lib/clients/caches/cache-client.ts'
import { CacheMetrics } from '../../../lib/clients/caches/cache.ts'
import { HealthMetrics } from '../../../lib/clients/health.ts'
import { RedisOperations } from '../../../lib/clients/caches/redis-operation.ts'
import { createRegistry } from '../../../lib/index.ts'
import type { HistogramValue, Registry } from '../../../lib/index.ts'
import { isCollected } from '../../support/garbage.ts'

function openCache (): { registry: Registry, cache: CacheClient, metrics: CacheMetrics } {
  const registry = createRegistry()
  const metrics = new CacheMetrics(registry)
  return { registry, metrics, cache: new CacheClient(metrics, 'session') }
}

t.test('a read is a hit if all keys were found, while hits and misses count the keys', async t => {
  const { registry, cache } = openCache()
  const row = cache.operation('mget')
  const startedMs = performance.now()
  row.read(startedMs, 3, 0)
  row.read(startedMs, 1, 2)
  row.read(startedMs, 0, 0)
  row.succeeded(startedMs)
  row.failed(startedMs)
  const count = (status: string): unknown => registry.read('cache_operations_total', { cache_type: 'session', operation: 'mget', status })
  t.same([count('hit'), count('miss'), count('success'), count('error')], [2, 1, 1, 1])
  t.equal(registry.read('cache_hits_total', { cache_type: 'session' }), 4)
  t.equal(registry.read('cache_misses_total', { cache_type: 'session' }), 2)
  const duration = registry.read('cache_operation_duration_seconds', { cache_type: 'session', operation: 'mget' }) as HistogramValue
  t.equal(duration.count, 5)
  t.ok(duration.sum >= 0 && duration.sum <= 5 * (performance.now() - startedMs) / 1_000)
})

t.test('the names of operations are limited', async t => {
  const { registry, cache } = openCache()
  for (let i = 0; i < 400; i++) cache.operation(`operation${i}`).succeeded(performance.now())
  cache.operation('operation0').succeeded(performance.now())
  const count = (operation: string): unknown => registry.read('cache_operations_total', { cache_type: 'session', operation, status: 'success' })
  t.equal(count('operation0'), 2)
  t.equal(count('operation299'), 1)
  t.equal(count('operation300'), undefined)
  t.equal(count('other'), 100)
})

t.test('the sizes of caches of one name are added up, for as long as they live', async t => {
  const { registry, metrics, cache } = openCache()
  const size = (): unknown => {
    registry.snapshot()
    return registry.read('cache_size', { cache_type: 'session' })
  }
  const sizeOf = ({ length }: number[]): number => length
  const first = [1, 2]
  const unwatch = cache.watchSize(first, sizeOf)
  const second = (() => {
    const cache = [1, 2, 3]
    new CacheClient(metrics, 'session').watchSize(cache, sizeOf)
    t.equal(size(), 5)
    return new WeakRef(cache)
  })()
  t.ok(await isCollected(second))
  t.equal(size(), 2)
  unwatch()
  t.equal(size(), undefined)
  cache.evicted()
  cache.evicted(2)
  t.equal(registry.read('cache_evictions_total', { cache_type: 'session' }), 3)
})

t.test('an object that cannot be read is missing by itself, and its fault is told once', t => {
  const { registry, metrics, cache } = openCache()
  const warnings: string[] = []
  registry.onWarning(warning => warnings.push(warning))
  const good = [1, 2]
  const bad = { get length (): number { throw new Error('not today') } }
  const sizeOf = ({ length }: { length: number }): number => length
  const other = new CacheClient(metrics, 'other')
  for (const watched of [bad, good, bad]) cache.watchSize(watched, sizeOf)
  other.watchSize(bad, sizeOf)
  const later = [1, 2, 3]
  new CacheClient(metrics, 'later').watchSize(later, sizeOf)
  for (let scrape = 1; scrape <= 3; scrape++) {
    registry.snapshot()
    const sizes = ['session', 'other', 'later'].map(name => registry.read('cache_size', { cache_type: name }))
    t.same(sizes, [2, undefined, 3])
    t.equal(registry.read('vitals_record_errors_total', { metric: 'cache_size' }), scrape)
  }
  t.equal(warnings.length, 1)
  t.match(warnings[0], /cache_size.* it threw: .*not today/)
  t.ok(good.length + later.length === 5 && bad, 'they were held')
  t.end()
})

t.test('what can no longer be read leaves its gauge', t => {
  const { registry, cache } = openCache()
  const pool = { isBroken: false, get length (): number { if (this.isBroken) throw new Error('not today'); return 7 } }
  cache.watchSize(pool, ({ length }) => length)
  const size = (): unknown => {
    registry.snapshot()
    return registry.read('cache_size', { cache_type: 'session' })
  }
  t.equal(size(), 7)
  pool.isBroken = true
  t.equal(size(), undefined)
  pool.isBroken = false
  t.equal(size(), 7)
  t.end()
})

t.test('a dependency is up if all of its name are, and is not shown while nothing is known', async t => {
  const registry = createRegistry()
  const health = HealthMetrics.of(registry)
  t.equal(HealthMetrics.of(registry), health, 'one for a store')
  const status = (): unknown => {
    registry.snapshot()
    return registry.read('health_dependency_status', { dependency: 'redis' })
  }
  const isUp = ({ up }: { up: boolean | undefined }): boolean | undefined => up
  const first: { up: boolean | undefined } = { up: undefined }
  const second = { up: true }
  health.watchDependency('redis', first, isUp)
  t.equal(status(), undefined)
  const unwatch = health.watchDependency('redis', second, isUp)
  t.equal(status(), 1)
  first.up = false
  t.equal(status(), 0)
  first.up = true
  t.equal(status(), 1)
  second.up = false
  t.equal(status(), 0)
  unwatch()
  t.equal(status(), 1)
})

t.test('commands of Redis by their replies', async t => {
  const { registry, cache } = openCache()
  const operations = new RedisOperations(cache)
  t.equal(operations.of('GET'), operations.of('get'))
  t.equal(operations.of('gEt'), operations.of('get'))
  t.equal(operations.of('user text'), operations.of(undefined))
  const startedMs = performance.now()
  const replies: [string, unknown, string][] = [
    ['get', '', 'hit'],
    ['get', null, 'miss'],
    ['get', undefined, 'miss'],
    ['get', new Error('in a transaction'), 'error'],
    ['hgetall', [], 'miss'],
    ['hgetall', ['field', '1'], 'hit'],
    ['hgetall', new Map(), 'miss'],
    ['hgetall', new Map([['field', '1']]), 'hit'],
    ['hgetall', {}, 'miss'],
    ['hgetall', Object.assign(Object.create(null), { field: '1' }), 'hit'],
    ['hgetall', null, 'miss'],
    ['hgetall', 'text', 'miss'],
    ['json.get', '[]', 'hit'],
    ['mget', ['1', null], 'miss'],
    ['hgetdel', null, 'miss'],
    ['set', null, 'success'],
    ['user text', 'x', 'success']
  ]
  for (const [i, [name, reply, status]] of replies.entries()) {
    const labels = { cache_type: 'session', operation: name === 'user text' ? 'other' : name, status }
    const before = registry.read('cache_operations_total', labels) as number | undefined ?? 0
    operations.of(name).replied(startedMs, reply)
    t.equal(registry.read('cache_operations_total', labels), before + 1, `reply ${i}: ${name} is ${status}`)
  }
})
