import { performance } from 'node:perf_hooks'
import type { CacheClient } from './cache-client.ts'
import type { Attachment, ClientAdapter, ClientContext } from '../client-adapter.ts'
import { wrapMethod } from '../wrap-method.ts'

interface Store {
  readonly size?: unknown
  readonly store?: { readonly size?: unknown }
  readonly hasMany?: unknown
}

/** What is used of a Keyv; version 6 has no `opts`. */
interface Keyv {
  readonly store: Store
  readonly opts?: object
}

interface Cacheable {
  readonly primary: Keyv
}

/** Reads of one key and of many; the others read nothing. */
const READS_ONE: ReadonlySet<string> = new Set(['get', 'getRaw'])
const READS_MANY: ReadonlySet<string> = new Set(['getMany', 'getManyRaw'])
/** What says by `false` that it did not write; those of many have a list. */
const WRITES: ReadonlySet<string> = new Set(['set', 'setRaw', 'setMany', 'setManyRaw'])
/** The method that another one is made of, called before the other one waits. */
const PARTS: Readonly<Record<string, string>> = { get: 'getRaw', getMany: 'getManyRaw', setMany: 'set' }
const METHODS: readonly string[] = [...READS_ONE, ...READS_MANY, ...WRITES, 'has', 'hasMany', 'delete', 'deleteMany', 'clear']

/** Keyv. Its hooks have no beginning and end that belong together, and its statistics count no errors: its methods are wrapped. */
export const keyv: ClientAdapter = {
  title: 'keyv (Keyv)',
  recognises: isKeyv,
  attach: (client, context) => attach(client as Keyv, context, sizeOf)
}

/** Cacheable, with what it finds in any of its stores. */
export const cacheable: ClientAdapter = {
  title: 'cacheable (Cacheable)',
  recognises: client => hasMethods(client, 'get', 'set', 'getOrSet', 'setPrimary'),
  attach: (client, context) => attach(client as Cacheable, context, sizeOfPrimary)
}

function isKeyv (client: object): boolean {
  const { stats, store, hooks } = client as Readonly<Record<string, unknown>>
  return hasMethods(client, 'get', 'set', 'getMany', 'deleteMany', 'disconnect') && [stats, store, hooks].every(part => typeof part === 'object' && part !== null)
}

function hasMethods (client: object, ...names: readonly string[]): boolean {
  return names.every(name => typeof Reflect.get(client, name) === 'function')
}

function attach<C extends object> (client: C, context: ClientContext, size: (client: C) => number | undefined): Attachment {
  const cache = context.cache()
  const restores = observe(client, cache)
  const unwatch = cache.watchSize(client, size)
  return {
    detach () {
      unwatch()
      for (const restore of restores) restore()
    }
  }
}

/** Of stores in memory. */
function sizeOf ({ store }: Keyv): number | undefined {
  const size = store.size ?? store.store?.size
  return typeof size === 'number' ? size : undefined
}

function sizeOfPrimary ({ primary }: Cacheable): number | undefined {
  return sizeOf(primary)
}

function observe (client: object, cache: CacheClient): (() => void)[] {
  /** What the method that runs is made of, until it waits: a call of that is its own. */
  let part: string | undefined
  return METHODS.filter(name => hasMethods(client, name)).map(name => wrapMethod(client, name, (receiver, original, args) => {
    if (name === part || isOther(receiver, name, args)) return Reflect.apply(original, receiver, args)
    const startedMs = performance.now()
    const outer = part
    part = PARTS[name]
    let result: unknown
    try {
      result = Reflect.apply(original, receiver, args)
    } catch (error) {
      fail(error)
    } finally {
      part = outer
    }
    if (result instanceof Promise) return result.then(done, fail)
    return done(result)

    function done (value: unknown): unknown {
      record(cache, name, startedMs, value)
      return value
    }

    function fail (error: unknown): never {
      cache.operation(name.toLowerCase()).failed(startedMs)
      throw error
    }
  }))
}

/** Whether a call only stands for others: a list of keys for the method of many, many for one after the other. */
function isOther (receiver: object, name: string, [key]: unknown[]): boolean {
  if (name === 'hasMany') return (receiver as Partial<Keyv>).opts !== undefined && typeof (receiver as Keyv).store.hasMany !== 'function'
  return Array.isArray(key) && (name === 'get' || name === 'has' || name === 'delete')
}

function record (cache: CacheClient, name: string, startedMs: number, value: unknown): void {
  const row = cache.operation(name.toLowerCase())
  if (READS_MANY.has(name) && Array.isArray(value)) {
    const missed = value.reduce((sum: number, one) => one === undefined ? sum + 1 : sum, 0)
    return row.read(startedMs, value.length - missed, missed)
  }
  if (READS_ONE.has(name) || READS_MANY.has(name)) return value === undefined ? row.read(startedMs, 0, 1) : row.read(startedMs, 1, 0)
  // Errors of a store come as false, unless the application wants them thrown.
  const isError = WRITES.has(name) && (value === false || (Array.isArray(value) && value.includes(false)))
  return isError ? row.failed(startedMs) : row.succeeded(startedMs)
}
