import { performance } from 'node:perf_hooks'
import type { CacheClient } from './cache-client.ts'
import type { ClientAdapter } from '../client-adapter.ts'
import { LruPurges } from './lru-purges.ts'
import type { LruStatusFields } from './lru-status.ts'
import { FetchStatus, LruStatus, MemoStatus, SetStatus } from './lru-status.ts'
import { wrapMethod } from '../wrap-method.ts'

/** What is used of an LRUCache. */
interface LruCache {
  readonly size: number
  readonly ttlAutopurge: boolean
  readonly fetchMethod: unknown
  info (key: unknown): object | undefined
  getRemainingTTL (key: unknown): number
}

/** Where the numbers of one cache go. */
interface Observed {
  readonly client: CacheClient
  /** Of a cache that removes entries on its own. */
  readonly purges: LruPurges | undefined
  /** Whether a memo is nothing, so that the library deletes by its public method. */
  isMemoNothing: boolean
}

type Options = { readonly status?: LruStatusFields } | undefined
type Method = (...args: unknown[]) => unknown
type Observe = (cache: LruCache, original: Method, args: unknown[], observed: Observed) => unknown

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
    const purges = (client as LruCache).ttlAutopurge ? new LruPurges(cache, client as LruCache) : undefined
    const observed: Observed = { client: cache, purges, isMemoNothing: false }
    const methods = purges === undefined ? METHODS : { ...METHODS, load: pass }
    const restores = Object.entries(methods).filter(([name]) => name in client).map(([name, observe]) => {
      return wrapMethod(client, name, purges === undefined
        ? (receiver, original, args) => observe(receiver as LruCache, original, args, observed)
        : (receiver, original, args) => purges.during(receiver as LruCache, () => observe(receiver as LruCache, original, args, observed)))
    })
    const unwatch = cache.watchSize(client as LruCache, purges === undefined ? sizeOf : client => purges.read(client))
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
  get: (cache, original, args, observed) => isOfCall(args[1]) ? pass(cache, original, args) : get(cache, original, args, observed),
  set,
  peek (cache, original, args, { client }) {
    const startedMs = performance.now()
    const value = Reflect.apply(original, cache, args)
    read(client, 'peek', startedMs, value !== undefined)
    return value
  },
  has: (cache, original, args, observed) => succeed('has', cache, original, args, observed),
  delete: (cache, original, args, observed) => observed.isMemoNothing ? pass(cache, original, args) : succeed('delete', cache, original, args, observed),
  clear: (cache, original, args, observed) => succeed('clear', cache, original, args, observed),
  pop: (cache, original, args, observed) => succeed('pop', cache, original, args, observed),
  purgeStale (cache, original, args, observed) {
    const before = cache.size
    const result = succeed('purgestale', cache, original, args, observed)
    evict(observed.client, before - cache.size)
    return result
  },
  memo,
  fetch: (cache, original, args, observed) => isOfCall(args[1]) ? pass(cache, original, args) : fetch('fetch', cache, original, args, observed),
  forceFetch: (cache, original, args, observed) => fetch('forcefetch', cache, original, args, observed)
}

function pass (cache: LruCache, original: Method, args: unknown[]): unknown {
  return Reflect.apply(original, cache, args)
}

function get (cache: LruCache, original: Method, args: unknown[], { client }: Observed): unknown {
  const startedMs = performance.now()
  const before = cache.size
  let value: unknown
  try {
    value = Reflect.apply(original, cache, args)
  } catch (error) {
    client.operation('get').failed(startedMs)
    throw error
  }
  read(client, 'get', startedMs, value !== undefined)
  // It was too old.
  if (cache.size < before) client.evicted(before - cache.size)
  return value
}

function set (cache: LruCache, original: Method, args: unknown[], observed: Observed): unknown {
  const [key, value, options] = args
  if (isOfCall(options)) return setOfCall(cache, original, args, observed)
  // Without a value it is delete(), which it calls.
  if (value === undefined || isPlaceholder(value)) return pass(cache, original, args)
  const { client } = observed
  const status = (options as Options)?.status ?? new SetStatus()
  // Only a fetch holds a place that is no entry yet.
  const isThere = cache.fetchMethod !== undefined && cache.getRemainingTTL(key) !== 0
  const startedMs = performance.now()
  const before = cache.size
  let result: unknown
  try {
    result = Reflect.apply(original, cache, [key, value, withStatus(options, status)])
  } catch (error) {
    client.operation('set').failed(startedMs)
    throw error
  }
  client.operation('set').succeeded(startedMs)
  if (status.set !== 'miss') evict(client, before + (status.set === 'add' && !isThere ? 1 : 0) - cache.size)
  return result
}

/** A memo of version 10 is put into the cache by its public method. */
function setOfCall (cache: LruCache, original: Method, args: unknown[], observed: Observed): unknown {
  if (!((args[2] as { status: unknown }).status instanceof MemoStatus)) return pass(cache, original, args)
  observed.isMemoNothing = args[1] === undefined
  const before = othersThan(args[0], cache)
  const result = pass(cache, original, args)
  evict(observed.client, before - othersThan(args[0], cache))
  return result
}

/** What it reads and writes on the way is its own. */
function memo (cache: LruCache, original: Method, [key, options]: unknown[], observed: Observed): unknown {
  const { client } = observed
  let before: number | undefined
  const status = (options as Options)?.status ?? new MemoStatus(value => {
    observed.isMemoNothing = value === undefined
    before = othersThan(key, cache)
  })
  const startedMs = performance.now()
  let value: unknown
  try {
    value = Reflect.apply(original, cache, [key, withStatus(options, status)])
  } catch (error) {
    client.operation('memo').failed(startedMs)
    throw error
  } finally {
    observed.isMemoNothing = false
  }
  // Version 10 does not say, but what it has made it has also set.
  const isHit = status.memo === undefined ? value !== undefined && status.set === undefined : status.memo === 'hit'
  read(client, 'memo', startedMs, isHit)
  if (before !== undefined) evict(client, before - othersThan(key, cache))
  return value
}

function fetch (name: string, cache: LruCache, original: Method, [key, options]: unknown[], { client, purges }: Observed): unknown {
  const own = (options as Options)?.status
  const status = own ?? toFetchStatus(cache, client, purges)
  const uninformed = own === undefined ? undefined : purges
  const startedMs = performance.now()
  const before = cache.size
  const promise = Reflect.apply(original, cache, [key, withStatus(options, status)]) as Promise<unknown>
  // A fetch has its place in the cache at once.
  if (status.fetch === 'miss') evict(client, before + 1 - cache.size)
  uninformed?.fetchBegins()
  return promise.then(value => {
    uninformed?.fetchIsOver(cache)
    read(client, name, startedMs, status.fetch === 'hit' || status.get === 'hit' || status.returnedStale === true)
    return value
  }, error => {
    uninformed?.fetchIsOver(cache)
    client.operation(name).failed(startedMs)
    throw error
  })
}

/** In a cache that is limited by size, a fetch makes room when its value is there. */
function toFetchStatus (cache: LruCache, client: CacheClient, purges: LruPurges | undefined): LruStatusFields {
  let before = 0
  return new FetchStatus({
    onEnd: () => purges?.fetchEnds(cache),
    onUpdate: () => { before = cache.size },
    onSet: what => { if (what !== 'miss') evict(client, before - cache.size) }
  })
}

function succeed (name: string, cache: LruCache, original: Method, args: unknown[], { client }: Observed): unknown {
  const startedMs = performance.now()
  let result: unknown
  try {
    result = Reflect.apply(original, cache, args)
  } catch (error) {
    client.operation(name).failed(startedMs)
    throw error
  }
  client.operation(name).succeeded(startedMs)
  return result
}

function read (client: CacheClient, name: string, startedMs: number, isFound: boolean): void {
  const row = client.operation(name)
  if (isFound) row.read(startedMs, 1, 0)
  else row.read(startedMs, 0, 1)
}

/** What is no object is left for the library to refuse. */
function withStatus (options: unknown, status: LruStatusFields): unknown {
  return options === undefined || Object(options) === options ? { ...options as object, status } : options
}

function evict (client: CacheClient, entries: number): void {
  if (entries > 0) client.evicted(entries)
}

/** How many entries there are besides this one. */
function othersThan (key: unknown, cache: LruCache): number {
  return cache.size - (cache.info(key) === undefined ? 0 : 1)
}

/** Whether a call is a part of one that is observed: version 10 goes through its own public methods. */
function isOfCall (options: unknown): boolean {
  return (options as Options)?.status instanceof LruStatus
}

/** What version 10 puts into the cache while it fetches. */
function isPlaceholder (value: unknown): boolean {
  return value instanceof Promise && '__staleWhileFetching' in value
}
