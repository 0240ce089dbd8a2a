import type { Counter } from '../../series/counter.ts'
import type { Gauge } from '../../series/gauge.ts'
import type { Histogram, HistogramDefinition } from '../../series/histogram.ts'
import type { OtlpIdentity } from '../../series/otlp-identity.ts'
import type { Registry } from '../../series/registry.ts'
import { WeakReadings } from '../weak-readings.ts'
import type { Reading } from '../weak-readings.ts'
import { DbNamespaces } from './db-namespaces.ts'

/** Bounds for queries and for the wait for a connection, in seconds. */
export const QUERY_BUCKETS: readonly number[] = Object.freeze([0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1])

/** What is said of an operation or a table that cannot be told. */
export const OTHER = 'other'

/** What is read of a pool: its connections by state, the requests that wait for one, the most connections there may be. */
export type PoolReading = Reading<'size' | 'active' | 'idle' | 'pending' | 'max'>

/** The database set: its names, types, labels and units are a contract. */
export class DbMetrics {
  readonly queries: Counter<string>
  readonly queryDuration: Histogram<string>
  readonly queryErrors: Counter<string>
  readonly transactions: Counter<string>
  /** The pools by system and client. */
  readonly pools = new WeakReadings<keyof PoolReading>()
  readonly connectionWait: Histogram<string>
  readonly connectionTimeouts: Counter<string>
  readonly namespaces = new DbNamespaces()
  readonly #registry: Registry
  readonly #failureDefinition: HistogramDefinition<string>
  #failureDuration: Histogram<string> | undefined

  constructor (registry: Registry) {
    this.#registry = registry
    const client = ['system', 'client']
    const duration = { name: 'db.client.operation.duration', unit: 's', toAttributes: toDbAttributes(this.namespaces) }
    const connections = (state: string): OtlpIdentity => ({ name: 'db.client.connection.count', unit: '{connection}', isUpDown: true, isInteger: true, toAttributes: toPoolAttributes({ 'db.client.connection.state': state }) })
    const pool = { isUpDown: true, isInteger: true, toAttributes: toPoolAttributes({}) }
    this.queries = registry.counter({
      name: 'db_queries_total',
      help: 'Operations of database clients, each once, by status: success, error.',
      labels: [...client, 'operation', 'table', 'status'],
      // The count of the duration.
      otlp: false
    })
    this.queryDuration = registry.histogram({
      name: 'db_query_duration_seconds',
      help: 'Time from handing an operation to a connection to its end.',
      labels: [...client, 'operation', 'table'],
      unit: 'seconds',
      buckets: QUERY_BUCKETS,
      otlp: duration
    })
    this.#failureDefinition = {
      name: 'db_query_failure_duration_seconds',
      help: 'Time of failed operations, by error.',
      labels: [...client, 'operation', 'table', 'error_type'],
      unit: 'seconds',
      buckets: QUERY_BUCKETS,
      otlp: { ...duration, splits: { metric: 'db_query_duration_seconds', label: 'error_type' } }
    }
    this.queryErrors = registry.counter({
      name: 'db_query_errors_total',
      help: 'Failed operations, by SQLSTATE or the code of the driver.',
      labels: [...client, 'operation', 'error_type'],
      // Pushed as the error.type of the duration.
      otlp: false
    })
    this.transactions = registry.counter({
      name: 'db_transactions_total',
      help: 'Ended transactions, by status: committed, rolled_back.',
      labels: [...client, 'status'],
      otlp: { name: 'db.transactions.total', unit: '{transaction}', isInteger: true, toAttributes: toDbAttributes(this.namespaces) }
    })
    const gauges: Readonly<Record<Exclude<keyof PoolReading, 'size'>, Gauge<string>>> = {
      active: registry.gauge({ name: 'db_connection_pool_active', help: 'Connections in use or being made.', labels: client, otlp: connections('used') }),
      idle: registry.gauge({ name: 'db_connection_pool_idle', help: 'Connections that wait for work.', labels: client, otlp: connections('idle') }),
      pending: registry.gauge({ name: 'db_connection_pool_pending', help: 'Requests that wait for a connection.', labels: client, otlp: { name: 'db.client.connection.pending_requests', unit: '{request}', ...pool } }),
      max: registry.gauge({ name: 'db_connection_pool_max', help: 'The most connections that the pool may have.', labels: client, otlp: { name: 'db.client.connection.max', unit: '{connection}', ...pool } })
    }
    registry.gauge({
      name: 'db_connection_pool_size',
      help: 'Connections of the pool.',
      labels: client,
      collect: size => this.pools.show({ ...gauges, size }),
      // The sum over the states.
      otlp: false
    })
    this.connectionWait = registry.histogram({
      name: 'db_connection_wait_seconds',
      help: 'Time from asking for a connection to getting it.',
      labels: client,
      unit: 'seconds',
      buckets: QUERY_BUCKETS,
      otlp: { name: 'db.client.connection.wait_time', unit: 's', toAttributes: toPoolAttributes({}) }
    })
    this.connectionTimeouts = registry.counter({
      name: 'db_connection_timeouts_total',
      help: 'Requests for a connection that were given up because it took too long.',
      labels: client,
      otlp: { name: 'db.client.connection.timeouts', unit: '{timeout}', isInteger: true, toAttributes: toPoolAttributes({}) }
    })
  }

  /** The store that they are in. */
  get registry (): Registry {
    return this.#registry
  }

  /** Durations of failed queries once more, by error; `undefined` where no way out shows them. */
  get failureDuration (): Histogram<string> | undefined {
    return this.#failureDuration
  }

  /** Keeps durations by error from now on, which OpenTelemetry wants as `error.type`. */
  keepErrorTypes (): void {
    this.#failureDuration ??= this.#registry.hiddenHistogram(this.#failureDefinition)
  }
}

/** Labels as attributes of OpenTelemetry's semantic conventions for database client metrics; what could not be told is left out. */
function toDbAttributes (namespaces: DbNamespaces): NonNullable<OtlpIdentity['toAttributes']> {
  const keys: Readonly<Record<string, string>> = { system: 'db.system.name', operation: 'db.operation.name', table: 'db.collection.name', client: 'db.client.connection.pool.name', error_type: 'error.type' }
  return (names, values) => {
    const attributes: Record<string, string> = {}
    names.forEach((name, i) => {
      const value = values[i]!
      const isUntold = value === OTHER && (name === 'operation' || name === 'table')
      if (!isUntold) attributes[keys[name] ?? name] = value
    })
    const [system, client] = values
    const namespace = namespaces.of(system!, client!)
    if (namespace !== undefined) attributes['db.namespace'] = namespace
    return attributes
  }
}

/** The same for connection pools, which have only their names. */
function toPoolAttributes (state: Readonly<Record<string, string>>): NonNullable<OtlpIdentity['toAttributes']> {
  return (_names, [system, client]) => ({ 'db.system.name': system!, 'db.client.connection.pool.name': client!, ...state })
}
