import { performance } from 'node:perf_hooks'
import type { CacheClient } from './cache-client.ts'
import type { ClientAdapter } from '../client-adapter.ts'
import { LruStatus } from './lru-status.ts'
import { wrapMethod } from '../wrap-method.ts'

/** What is used of an LRUCache. */
interface LruCache {
  readonly size: number
  info (key: unknown): object | undefined
}

type Method = (...args: unknown[]) => unknown
type Observe = (cache: LruCache, original: Method, args: unknown[], client: CacheClient) => unknown

/**
 * lru-cache. Its diagnostics channel has no durations, and while it has a subscriber every cache of the process pays for it: the
 * methods of the one cache are wrapped. Evictions show in its size.
 */
export const lruCache: ClientAdapter = {
  title: 'lru-cache (LRUCache)',
  recognises (client) {
    const { max, size, calculatedSize } = client as Readonly<Record<string, unknown>>
    return ['get', 'set', 'peek', 'fetch', 'purgeStale', 'info'].every(name => typeof Reflect.get(client, name) === 'function') &&
      [max, size, calculatedSize].every(Number.isInteger)
  },
  attach (client, context) {
    const cache = context.cache()
    const unwatch = cache.watchSize(client as LruCache, sizeOf)
    const restores = Object.entries(METHODS).filter(([name]) => name in client).map(([name, observe]) => {
      return wrapMethod(client, name, (receiver, original, args) => observe(receiver as LruCache, original, args, cache))
    })
    return {
      detach () {
        unwatch()
        for (const restore of restores) restore()
      }
    }
  }
}

function sizeOf ({ size }: LruCache): number {
  return size
}

const METHODS: Readonly<Record<string, Observe>> = {
  get: (cache, original, args, client) => isOfCall(args[1]) ? Reflect.apply(original, cache, args) : get(cache, original, args, client),
  // Without a value it is delete(), which it calls.
  set: (cache, original, args, client) => args[1] === undefined || isOfCall(args[2]) || isPlaceholder(args[1]) ? Reflect.apply(original, cache, args) : set(cache, original, args, client),
  peek (cache, original, args, client) {
    const startedMs = performance.now()
    const value = Reflect.apply(original, cache, args)
    read(client, 'peek', startedMs, value !== undefined)
    return value
  },
  has: (cache, original, args, client) => succeed('has', cache, original, args, client),
  delete: (cache, original, args, client) => succeed('delete', cache, original, args, client),
  clear: (cache, original, args, client) => succeed('clear', cache, original, args, client),
  pop: (cache, original, args, client) => succeed('pop', cache, original, args, client),
  purgeStale (cache, original, args, client) {
    const before = cache.size
    const result = succeed('purgestale', cache, original, args, client)
    evict(client, before - cache.size)
    return result
  },
  memo,
  fetch: (cache, original, args, client) => isOfCall(args[1]) ? Reflect.apply(original, cache, args) : fetch('fetch', cache, original, args, client),
  forceFetch: (cache, original, args, client) => fetch('forcefetch', cache, original, args, client)
}

function get (cache: LruCache, original: Method, args: unknown[], client: CacheClient): unknown {
  const startedMs = performance.now()
  const before = cache.size
  const value = Reflect.apply(original, cache, args)
  read(client, 'get', startedMs, value !== undefined)
  // It was too old.
  if (cache.size < before) client.evicted(before - cache.size)
  return value
}

function set (cache: LruCache, original: Method, [key, value, options]: unknown[], client: CacheClient): unknown {
  const status = LruStatus.of(options)
  const startedMs = performance.now()
  const before = cache.size
  let result: unknown
  try {
    result = Reflect.apply(original, cache, [key, value, { ...options as object, status }])
  } catch (error) {
    client.operation('set').failed(startedMs)
    throw error
  }
  client.operation('set').succeeded(startedMs)
  if (status.set === 'add') evict(client, before + 1 - cache.size)
  return result
}

/** What it reads and writes on the way is its own. */
function memo (cache: LruCache, original: Method, [key, options]: unknown[], client: CacheClient): unknown {
  const status = LruStatus.of(options)
  const { before, wasThere } = stateOf(cache, key)
  const startedMs = performance.now()
  let value: unknown
  try {
    value = Reflect.apply(original, cache, [key, { ...options as object, status }])
  } catch (error) {
    client.operation('memo').failed(startedMs)
    throw error
  }
  read(client, 'memo', startedMs, (status.memo ?? status.get) === 'hit')
  evict(client, before + (wasThere ? 0 : 1) - cache.size)
  return value
}

function fetch (name: string, cache: LruCache, original: Method, [key, options]: unknown[], client: CacheClient): unknown {
  const status = LruStatus.of(options)
  const { before, wasThere } = stateOf(cache, key)
  const startedMs = performance.now()
  const promise = Reflect.apply(original, cache, [key, { ...options as object, status }]) as Promise<unknown>
  // A fetch has its place in the cache at once.
  evict(client, before + (wasThere || status.fetch !== 'miss' ? 0 : 1) - cache.size)
  return promise.then(value => {
    read(client, name, startedMs, status.fetch === 'hit' || status.get === 'hit' || status.returnedStale === true)
    return value
  }, error => {
    client.operation(name).failed(startedMs)
    throw error
  })
}

function succeed (name: string, cache: LruCache, original: Method, args: unknown[], client: CacheClient): unknown {
  const startedMs = performance.now()
  const result = Reflect.apply(original, cache, args)
  client.operation(name).succeeded(startedMs)
  return result
}

function read (client: CacheClient, name: string, startedMs: number, isFound: boolean): void {
  const row = client.operation(name)
  if (isFound) row.read(startedMs, 1, 0)
  else row.read(startedMs, 0, 1)
}

function evict (client: CacheClient, entries: number): void {
  if (entries > 0) client.evicted(entries)
}

function stateOf (cache: LruCache, key: unknown): { before: number, wasThere: boolean } {
  return { before: cache.size, wasThere: cache.info(key) !== undefined }
}

/** Whether a call is a part of one that is observed: version 10 goes through its own public methods. */
function isOfCall (options: unknown): boolean {
  return (options as { status?: unknown } | undefined)?.status instanceof LruStatus
}

/** What version 10 puts into the cache while it fetches. */
function isPlaceholder (value: unknown): boolean {
  return value instanceof Promise && '__staleWhileFetching' in value
}
