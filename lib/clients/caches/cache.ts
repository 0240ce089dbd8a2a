import type { Counter } from '../../series/counter.ts'
import type { Histogram } from '../../series/histogram.ts'
import type { Registry } from '../../series/registry.ts'
import { WeakReadings } from '../weak-readings.ts'

/** Bounds for operations of caches, in seconds. */
export const CACHE_BUCKETS: readonly number[] = Object.freeze([0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05])

/** The cache set: its names, types, labels and units are a contract. */
export class CacheMetrics {
  readonly operations: Counter<string>
  readonly hits: Counter<string>
  readonly misses: Counter<string>
  readonly operationDuration: Histogram<string>
  readonly evictions: Counter<string>
  /** The caches by name. */
  readonly sizes = new WeakReadings<'size'>()

  constructor (registry: Registry) {
    const cache = ['cache_type']
    this.operations = registry.counter({
      name: 'cache_operations_total',
      help: 'Operations of caches, each once, by status: hit, miss, success, error.',
      labels: [...cache, 'operation', 'status'],
      otlp: { name: 'cache.operations.total', unit: '{operation}', isInteger: true }
    })
    this.hits = registry.counter({
      name: 'cache_hits_total',
      help: 'Keys that were read and found.',
      labels: cache,
      otlp: { name: 'cache.hits.total', unit: '{key}', isInteger: true }
    })
    this.misses = registry.counter({
      name: 'cache_misses_total',
      help: 'Keys that were read and not found.',
      labels: cache,
      otlp: { name: 'cache.misses.total', unit: '{key}', isInteger: true }
    })
    this.operationDuration = registry.histogram({
      name: 'cache_operation_duration_seconds',
      help: 'Time of an operation, from the call to its result.',
      labels: [...cache, 'operation'],
      unit: 'seconds',
      buckets: CACHE_BUCKETS,
      otlp: { name: 'cache.operation.duration', unit: 's' }
    })
    registry.gauge({
      name: 'cache_size',
      help: 'Entries that the cache holds.',
      labels: cache,
      collect: size => this.sizes.show({ size }),
      otlp: { name: 'cache.size', unit: '{entry}', isUpDown: true, isInteger: true }
    })
    this.evictions = registry.counter({
      name: 'cache_evictions_total',
      help: 'Entries that the cache gave up for want of room or because their time was over.',
      labels: cache,
      otlp: { name: 'cache.evictions.total', unit: '{entry}', isInteger: true }
    })
  }
}
