import { performance } from 'node:perf_hooks'
import type { Redirections, Routing } from './node-redis-attempt.ts'
import { NodeRedisAttempt } from './node-redis-attempt.ts'
import { observeMethods, OF_CONNECTIONS, SUBSCRIPTIONS } from './node-redis-methods.ts'
import type { QueuedCommand } from './node-redis-requests.ts'
import type { RedisOperation, RedisOperations } from './redis-operation.ts'
import { wrapMethod } from '../wrap-method.ts'

/** What is used of a client of node-redis itself, which stands behind all the objects that `with…()` makes of it. */
export interface NodeRedisClient {
  readonly isReady: boolean
  readonly isOpen: boolean
  readonly clientSideCache?: object | undefined
  _getQueue (): object
}

type Method = (...args: unknown[]) => unknown

/** The commands of one connection of node-redis. */
export class NodeRedisConnection {
  readonly #operations: RedisOperations
  readonly #routing: Routing
  readonly #restores: (() => void)[]
  /** Argument lists of scripts, which are sent again in full where the server has forgotten them. */
  readonly #scripts = new WeakSet<object>()
  /** Whether a command was sent, by its argument list, of those which the library may answer from its own cache. */
  readonly #cacheable: WeakMap<object, { isSent: boolean }> | undefined

  constructor (client: NodeRedisClient, operations: RedisOperations, routing: Routing = { current: undefined }) {
    this.#operations = operations
    this.#routing = routing
    const queue = client._getQueue()
    this.#restores = [
      wrapMethod(client, 'sendCommand', (receiver, original, args) => this.#send(receiver, original, args)),
      wrapMethod(client, '_executeScript', (receiver, original, args) => {
        this.#scripts.add((args[1] as { redisArgs: object }).redisArgs)
        return Reflect.apply(original, receiver, args)
      }),
      wrapMethod(client, '_executeMulti', (receiver, original, args) => this.#transact(receiver, original, args)),
      wrapMethod(client, '_executePipeline', (receiver, original, args) => this.#pipe(queue, receiver, original, args)),
      ...observeMethods(client, [...SUBSCRIPTIONS, ...OF_CONNECTIONS], operations)
    ]
    if (client.clientSideCache === undefined) return
    const cacheable = this.#cacheable = new WeakMap()
    this.#restores.push(wrapMethod(client, '_executeCommand', (receiver, original, args) => this.#execute(cacheable, receiver, original, args)))
  }

  detach (): void {
    for (const restore of this.#restores) restore()
  }

  #send (receiver: object, original: Method, args: unknown[]): unknown {
    const [list] = args as [readonly unknown[] | undefined]
    const name = list?.[0]
    // The library's own, before a command that a cluster redirects.
    if (name === 'ASKING') return Reflect.apply(original, receiver, args)
    const operation = this.#operations.of(name)
    const cacheable = this.#cacheable?.get(list!)
    if (cacheable !== undefined) cacheable.isSent = true
    const redirections = this.#begin()
    const startedMs = redirections?.startedMs ?? performance.now()
    return (Reflect.apply(original, receiver, args) as Promise<unknown>).then(reply => {
      operation.replied(startedMs, reply)
      return reply
    }, error => {
      const isSentAgain = isFrom(error, 'NOSCRIPT') && this.#scripts.delete(list!)
      if (!isSentAgain) this.#failed([operation], startedMs, redirections, error)
      throw error
    })
  }

  #transact (receiver: object, original: Method, args: unknown[]): unknown {
    const operations = (args[0] as readonly QueuedCommand[]).map(({ args: [name] }) => this.#operations.of(name))
    const redirections = this.#begin()
    const startedMs = redirections?.startedMs ?? performance.now()
    return (Reflect.apply(original, receiver, args) as Promise<readonly unknown[]>).then(replies => {
      for (const [i, operation] of operations.entries()) operation.replied(startedMs, replies[i])
      return replies
    }, error => {
      this.#failed(operations, startedMs, redirections, error)
      throw error
    })
  }

  /** The commands of a pipeline go into the queue one by one, before the call returns: each has its own reply there. */
  #pipe (queue: object, receiver: object, original: Method, args: unknown[]): unknown {
    const commands = args[0] as readonly QueuedCommand[]
    const redirections = this.#begin()
    const attempt = new NodeRedisAttempt()
    if (redirections === undefined) attempt.keep()
    else redirections.attempt = attempt
    const startedMs = redirections?.startedMs ?? performance.now()
    let queued = 0
    const restore = wrapMethod(queue, 'addCommand', (queue, add, addArgs) => {
      const operation = this.#operations.of((addArgs[0] as readonly unknown[])[0])
      queued++
      return (Reflect.apply(add, queue, addArgs) as Promise<unknown>).then(reply => {
        attempt.record(() => operation.replied(startedMs, reply))
        return reply
      }, error => {
        attempt.record(() => operation.failed(startedMs))
        throw error
      })
    })
    let result: Promise<unknown>
    try {
      result = Reflect.apply(original, receiver, args) as Promise<unknown>
    } finally {
      restore()
    }
    return result.then(replies => {
      attempt.keep()
      return replies
    }, error => {
      if (queued === 0) attempt.record(() => { for (const { args: [name] } of commands) this.#operations.of(name).failed(startedMs) })
      throw error
    })
  }

  /** A command that the library's own cache answers is never sent, nor one that is under way already. */
  #execute (cacheable: WeakMap<object, { isSent: boolean }>, receiver: object, original: Method, args: unknown[]): unknown {
    const list = (args[1] as { redisArgs: readonly unknown[] }).redisArgs
    const state = { isSent: false }
    cacheable.set(list, state)
    const redirections = this.#begin()
    const startedMs = performance.now()
    return (Reflect.apply(original, receiver, args) as Promise<unknown>).then(reply => {
      if (!state.isSent) this.#operations.of(list[0]).replied(startedMs, reply)
      return reply
    }, error => {
      // It waited for the answer to another one.
      if (!state.isSent) this.#failed([this.#operations.of(list[0])], startedMs, redirections, error)
      throw error
    })
  }

  #begin (): Redirections | undefined {
    const redirections = this.#routing.current
    if (redirections === undefined) return undefined
    redirections.startedMs ||= performance.now()
    redirections.attempt = undefined
    return redirections
  }

  #failed (operations: readonly RedisOperation[], startedMs: number, redirections: Redirections | undefined, error: unknown): void {
    const fail = (): void => { for (const operation of operations) operation.failed(startedMs) }
    if (redirections?.isOpen(error) === true) {
      redirections.attempt = new NodeRedisAttempt()
      redirections.attempt.record(fail)
    } else {
      fail()
    }
  }
}

/** Whether an error is an answer of Redis that begins with this code. */
export function isFrom (error: unknown, code: string): boolean {
  return error instanceof Error && error.message.startsWith(code)
}
