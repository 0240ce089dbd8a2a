import type { CacheClient } from './cache-client.ts'
import type { CacheOperationRow } from './cache-operation-row.ts'
import { OTHER } from '../databases/db.ts'
import { REDIS_COMMANDS } from './redis-commands.ts'

/** What the reply of a command says of the keys that it read: one value, one for each key, or a hash that is empty where there is none. */
type Answer = 'value' | 'values' | 'hash'

/** The commands that plainly tell whether what they read was there. */
const READS: ReadonlyMap<string, Answer> = new Map<string, Answer>([
  ['get', 'value'], ['getdel', 'value'], ['getex', 'value'], ['hget', 'value'], ['json.get', 'value'],
  ['mget', 'values'], ['hmget', 'values'], ['hgetdel', 'values'], ['hgetex', 'values'], ['json.mget', 'values'],
  ['hgetall', 'hash']
])

/** One command of one client and its series. Starts are times of `performance.now()`, in ms. */
export class RedisOperation {
  readonly #row: CacheOperationRow
  readonly #answer: Answer | undefined

  constructor (row: CacheOperationRow, answer: Answer | undefined) {
    this.#row = row
    this.#answer = answer
  }

  /** Records one by its reply, raw or as the library turned it; a transaction's list of replies has errors in it. */
  replied (startedMs: number, reply: unknown): void {
    if (reply instanceof Error) return this.#row.failed(startedMs)
    switch (this.#answer) {
      case undefined:
        return this.#row.succeeded(startedMs)
      case 'value':
        return isNothing(reply) ? this.#row.read(startedMs, 0, 1) : this.#row.read(startedMs, 1, 0)
      case 'hash':
        return isEmpty(reply) ? this.#row.read(startedMs, 0, 1) : this.#row.read(startedMs, 1, 0)
      case 'values':
        return this.#readMany(startedMs, reply)
    }
  }

  failed (startedMs: number): void {
    this.#row.failed(startedMs)
  }

  #readMany (startedMs: number, reply: unknown): void {
    // A hash that is not there.
    if (!Array.isArray(reply)) return this.#row.read(startedMs, 0, 1)
    const missed = reply.reduce((sum: number, value) => isNothing(value) ? sum + 1 : sum, 0)
    this.#row.read(startedMs, reply.length - missed, missed)
  }
}

/** The commands of one client. */
export class RedisOperations {
  readonly #cache: CacheClient
  /** By name in lower and in upper case, as the libraries write them. */
  readonly #known = new Map<unknown, RedisOperation>()

  constructor (cache: CacheClient) {
    this.#cache = cache
  }

  /** The series of a command, by the name that goes to the server; whatever is no command of Redis is `other`. */
  of (name: unknown): RedisOperation {
    return this.#known.get(name) ?? this.#find(name)
  }

  #find (name: unknown): RedisOperation {
    if (Buffer.isBuffer(name)) return this.of(name.toString())
    const lower = typeof name === 'string' ? name.toLowerCase() : OTHER
    const label = REDIS_COMMANDS.has(lower) ? lower : OTHER
    const known = this.#known.get(label) ?? new RedisOperation(this.#cache.operation(label), READS.get(label))
    this.#known.set(label, known)
    if (name === label.toUpperCase()) this.#known.set(name, known)
    return known
  }
}

function isNothing (value: unknown): boolean {
  return value === null || value === undefined
}

function isEmpty (hash: unknown): boolean {
  if (Array.isArray(hash)) return hash.length === 0
  if (hash instanceof Map) return hash.size === 0
  return typeof hash !== 'object' || hash === null || Object.keys(hash).length === 0
}
