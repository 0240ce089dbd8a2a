import t from 'tap'
import type { Test } from 'tap'
import { CacheClient } from '../../lib/clients/caches/cache-client.ts'
import { CacheMetrics } from '../../lib/clients/caches/cache.ts'
import { DbClient } from '../../lib/clients/databases/db-client.ts'
import { DbMetrics } from '../../lib/clients/databases/db.ts'
import { HealthMetrics } from '../../lib/clients/health.ts'
import { OutboundRecorder } from '../../lib/clients/outbound/outbound-recorder.ts'
import { attributesOf } from '../../lib/export/otlp-attributes.ts'
import { toOtlpFamilies } from '../../lib/export/otlp-view.ts'
import { Registry } from '../../lib/series/registry.ts'

/** What dashboards hang on: the names, types, labels and bounds at /v1/metrics, and what is pushed. */
interface Expected {
  shown: Record<string, [type: string, labels: string, bounds?: readonly number[]]>
  pushed: Record<string, [kind: string, unit: string, attributes: string]>
}

function expectSet (t: Test, registry: Registry, prefix: string, expected: Expected): void {
  const snapshot = registry.snapshot()
  const shown = snapshot.families.filter(({ name, isHidden }) => name.startsWith(prefix) && isHidden !== true).map(({ name, type, unit, banks }) => {
    const [{ bounds, series: [series] }] = banks as [typeof banks[number]]
    t.equal(unit, type === 'histogram' ? 'seconds' : undefined, name)
    return [name, [type, series!.names.join(' '), ...type === 'histogram' ? [bounds] : []]]
  })
  t.strictSame(Object.fromEntries(shown), expected.shown)
  const pushed = toOtlpFamilies(snapshot).filter(({ origin }) => origin.name.startsWith(prefix)).map(({ name, kind, unit, banks }) => {
    const attributes = new Set(banks.flatMap(({ series, toAttributes }) => series.flatMap(one => Object.keys(attributesOf(one, toAttributes)))))
    return [name, [kind, unit, [...attributes].sort().join(' ')]]
  })
  t.strictSame(Object.fromEntries(pushed), expected.pushed)
}

const QUERY = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1]

t.test('databases', t => {
  const registry = new Registry()
  const metrics = new DbMetrics(registry)
  metrics.keepErrorTypes()
  metrics.namespaces.note('postgresql', 'primary', 'shop')
  const db = new DbClient(metrics, 'postgresql', 'primary')
  const row = db.operation('SELECT', 'users')
  row.succeeded(performance.now() - 2_000)
  row.failed(performance.now() - 2_000, { code: '23505' })
  db.transaction('committed')
  db.connected(performance.now() - 2_000)
  db.connectionTimedOut()
  const pool = {}
  db.watchPool(pool, () => ({ size: 3, active: 2, idle: 1, pending: 0, max: 4 }))
  const [client, pooled] = ['system client', 'db.client.connection.pool.name db.system.name']
  expectSet(t, registry, 'db_', {
    shown: {
      db_queries_total: ['counter', `${client} operation table status`],
      db_query_duration_seconds: ['histogram', `${client} operation table`, QUERY],
      db_query_errors_total: ['counter', `${client} operation error_type`],
      db_transactions_total: ['counter', `${client} status`],
      db_connection_pool_size: ['gauge', client],
      db_connection_pool_active: ['gauge', client],
      db_connection_pool_idle: ['gauge', client],
      db_connection_pool_pending: ['gauge', client],
      db_connection_pool_max: ['gauge', client],
      db_connection_wait_seconds: ['histogram', client, QUERY],
      db_connection_timeouts_total: ['counter', client]
    },
    pushed: {
      'db.client.operation.duration': ['histogram', 's', 'db.client.connection.pool.name db.collection.name db.namespace db.operation.name db.system.name error.type'],
      'db.transactions.total': ['sum', '{transaction}', 'db.client.connection.pool.name db.namespace db.system.name status'],
      'db.client.connection.count': ['updown', '{connection}', 'db.client.connection.pool.name db.client.connection.state db.system.name'],
      'db.client.connection.pending_requests': ['updown', '{request}', pooled],
      'db.client.connection.max': ['updown', '{connection}', pooled],
      'db.client.connection.wait_time': ['histogram', 's', pooled],
      'db.client.connection.timeouts': ['sum', '{timeout}', pooled]
    }
  })
  for (const [name, labels] of [['db_query_duration_seconds', { operation: 'SELECT', table: 'users' }], ['db_connection_wait_seconds', {}]] as const) {
    const { count, sum } = registry.read(name, { system: 'postgresql', client: 'primary', ...labels }) as { count: number, sum: number }
    t.ok(sum >= 2 * count && sum < 3 * count, `${name} is in seconds`)
  }
  t.ok(pool, 'it was held')
  t.end()
})

t.test('caches, and the connections of those that have one', t => {
  const registry = new Registry()
  const cache = new CacheClient(new CacheMetrics(registry), 'session')
  const row = cache.operation('get')
  row.read(performance.now() - 2_000, 1, 1)
  row.succeeded(performance.now() - 2_000)
  row.failed(performance.now() - 2_000)
  cache.evicted()
  const client = {}
  cache.watchSize(client, () => 1)
  HealthMetrics.of(registry).watchDependency('session', client, () => true)
  expectSet(t, registry, 'cache_', {
    shown: {
      cache_operations_total: ['counter', 'cache_type operation status'],
      cache_hits_total: ['counter', 'cache_type'],
      cache_misses_total: ['counter', 'cache_type'],
      cache_operation_duration_seconds: ['histogram', 'cache_type operation', [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05]],
      cache_size: ['gauge', 'cache_type'],
      cache_evictions_total: ['counter', 'cache_type']
    },
    pushed: {
      'cache.operations.total': ['sum', '{operation}', 'cache_type operation status'],
      'cache.hits.total': ['sum', '{key}', 'cache_type'],
      'cache.misses.total': ['sum', '{key}', 'cache_type'],
      'cache.operation.duration': ['histogram', 's', 'cache_type operation'],
      'cache.size': ['updown', '{entry}', 'cache_type'],
      'cache.evictions.total': ['sum', '{entry}', 'cache_type']
    }
  })
  expectSet(t, registry, 'health_', {
    shown: { health_dependency_status: ['gauge', 'dependency'] },
    pushed: { 'health.dependency.status': ['updown', '', 'dependency'] }
  })
  const { count, sum } = registry.read('cache_operation_duration_seconds', { cache_type: 'session', operation: 'get' }) as { count: number, sum: number }
  t.ok(count === 3 && sum >= 6 && sum < 9, 'durations are in seconds')
  t.ok(client, 'it was held')
  t.end()
})

t.test('outbound HTTP', t => {
  const registry = new Registry()
  const recorder = new OutboundRecorder(registry, undefined)
  recorder.metrics.keepErrorTypes()
  const answered = recorder.begin('http://api.example.com:8080', 'GET')
  answered.status = 200
  const begunMs = performance.now()
  while (performance.now() - begunMs < 5);
  answered.settle()
  const { sum } = registry.read('http_client_request_duration_seconds', { method: 'GET', host: 'api.example.com:8080', status: '200' }) as { sum: number }
  t.ok(sum >= 0.005, `${sum} s, the least that it took`)
  recorder.begin('http://api.example.com:8080', 'GET').fail({ code: 'ECONNREFUSED' })
  const server = 'server.address server.port url.scheme'
  expectSet(t, registry, 'http_client_', {
    shown: {
      http_client_requests_total: ['counter', 'method host status'],
      http_client_request_duration_seconds: ['histogram', 'method host status', [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]],
      http_client_requests_in_progress: ['gauge', 'host']
    },
    pushed: {
      'http.client.request.duration': ['histogram', 's', `error.type http.request.method http.response.status_code ${server}`],
      'http.client.active_requests': ['updown', '{request}', server]
    }
  })
  t.end()
})
