import { performance } from 'node:perf_hooks'
import type { RedisOperation, RedisOperations } from './redis-operation.ts'
import { wrapMethod } from '../wrap-method.ts'

/** What is used of a client of node-redis itself, which stands behind all the objects that `with…()` makes of it. */
export interface NodeRedisClient {
  readonly isReady: boolean
  readonly isOpen: boolean
  readonly clientSideCache?: object | undefined
  _getQueue (): object
}

interface QueuedCommand {
  readonly args: readonly unknown[]
}

/** Commands that go into the queue by methods of their own, most under two names. */
const UNSENT: readonly (readonly [command: string, method: string])[] = [
  ['SUBSCRIBE', 'subscribe'], ['UNSUBSCRIBE', 'unsubscribe'], ['PSUBSCRIBE', 'pSubscribe'], ['PUNSUBSCRIBE', 'pUnsubscribe'],
  ['SSUBSCRIBE', 'sSubscribe'], ['SUNSUBSCRIBE', 'sUnsubscribe'], ['MONITOR', 'monitor'], ['QUIT', 'quit'], ['RESET', 'reset']
]

type Method = (...args: unknown[]) => unknown

/** A command of a cluster or a sentinel, for as long as that sends it from node to node. */
export interface Redirections {
  /** Whether a failure may not be its last word. */
  readonly isOpen: (error: unknown) => boolean
  /** When it was sent first; 0 before that. */
  startedMs: number
  /** What the last node sent away. */
  redirected: readonly RedisOperation[]
}

/** Where a cluster's or a sentinel's command is from, while it is being handed to a node. */
export interface Routing {
  current: Redirections | undefined
}

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
      ...UNSENT.flatMap(([command, method]) => [command, method].filter(name => name in client).map(name => {
        return wrapMethod(client, name, (receiver, original, args) => this.#queue(command, receiver, original, args))
      }))
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
    this.#begin()
    const startedMs = performance.now()
    let queued = 0
    const restore = wrapMethod(queue, 'addCommand', (queue, add, addArgs) => {
      const operation = this.#operations.of((addArgs[0] as readonly unknown[])[0])
      queued++
      return (Reflect.apply(add, queue, addArgs) as Promise<unknown>).then(reply => {
        operation.replied(startedMs, reply)
        return reply
      }, error => {
        operation.failed(startedMs)
        throw error
      })
    })
    let result: Promise<unknown>
    try {
      result = Reflect.apply(original, receiver, args) as Promise<unknown>
    } finally {
      restore()
    }
    if (queued > 0) return result
    return result.then(undefined, error => {
      for (const { args: [name] } of commands) this.#operations.of(name).failed(startedMs)
      throw error
    })
  }

  #queue (command: string, receiver: object, original: Method, args: unknown[]): unknown {
    const operation = this.#operations.of(command)
    const startedMs = performance.now()
    return (Reflect.apply(original, receiver, args) as Promise<unknown>).then(value => {
      operation.replied(startedMs, value)
      return value
    }, error => {
      operation.failed(startedMs)
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
    redirections.redirected = []
    return redirections
  }

  #failed (operations: readonly RedisOperation[], startedMs: number, redirections: Redirections | undefined, error: unknown): void {
    if (redirections?.isOpen(error) === true) {
      redirections.redirected = operations
      return
    }
    for (const operation of operations) operation.failed(startedMs)
  }
}

/** Whether an error is an answer of Redis that begins with this code. */
export function isFrom (error: unknown, code: string): boolean {
  return error instanceof Error && error.message.startsWith(code)
}
