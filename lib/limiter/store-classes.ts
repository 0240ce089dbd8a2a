import { createRequire } from 'node:module'
import type { Call, Child, StoreKind } from './stores.ts'

/** What the classes of @fastify/rate-limit's own stores have in common. */
export interface StorePrototype {
  incr: Call
  child: Child
}

const KIND_OF: Readonly<Record<string, StoreKind>> = { LocalStore: 'local', RedisStore: 'redis' }
const STORE_FILE = /[\\/]store[\\/](?:Local|Redis)Store\.js$/

const found = new Map<StorePrototype, StoreKind>()

/** The classes that every copy of @fastify/rate-limit in the process has loaded by now, by their prototypes. */
export function findStoreClasses (): ReadonlyMap<StorePrototype, StoreKind> {
  for (const [file, module] of Object.entries(createRequire(import.meta.url).cache)) {
    if (!STORE_FILE.test(file)) continue
    const { name = '', prototype } = module!.exports as { readonly name?: string, readonly prototype?: Partial<StorePrototype> }
    const kind = KIND_OF[name]
    if (kind !== undefined && prototype?.incr?.length === 4 && prototype.child?.length === 1) found.set(prototype as StorePrototype, kind)
  }
  return found
}

/** Those found so far. */
export function storeClasses (): ReadonlyMap<StorePrototype, StoreKind> {
  return found
}
