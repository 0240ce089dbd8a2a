import { performance } from 'node:perf_hooks'
import type { RedisOperations } from './redis-operation.ts'
import { wrapMethod } from '../wrap-method.ts'

type Method = (...args: unknown[]) => unknown

/** A command as pipelines and transactions of node-redis keep it. */
export interface QueuedCommand {
  readonly args: readonly unknown[]
}

/** What an application asks a pool, a cluster or a sentinel for at once. */
export interface Request {
  /** The commands of it, by name. */
  readonly names: readonly unknown[]
  /** Whether it reached a connection, which counts it, or was counted as failed. */
  isCounted: boolean
}

/** What is asked of a pool, a cluster or a sentinel, until a connection is found for it: where there is none, each command of it has failed. */
export class NodeRedisRequests {
  readonly #operations: RedisOperations
  #handed: Request | undefined
  #isOn = true

  constructor (operations: RedisOperations) {
    this.#operations = operations
  }

  /** Leaves the pipelines and transactions that have been made, and the leases that have been given. */
  detach (): void {
    this.#isOn = false
  }

  /** Runs what asks for a connection, for commands of these names: they have failed where it comes to nothing. */
  begin (names: readonly unknown[], run: (request: Request) => unknown): unknown {
    const request = { names, isCounted: false }
    const startedMs = performance.now()
    return (run(request) as Promise<unknown>).then(undefined, error => {
      if (!request.isCounted) this.failed(request, startedMs)
      throw error
    })
  }

  /** Says what the library hands on next, before it does anything else. */
  handOn (request: Request): void {
    this.#handed = request
  }

  /** What is being handed on; `undefined` where that has not been said, or was taken already. */
  take (): Request | undefined {
    const request = this.#handed
    this.#handed = undefined
    return request
  }

  /** Without a connection; of what is unknown, that it was one command. */
  failed (request: Request = { names: [undefined], isCounted: false }, startedMs: number): void {
    for (const name of request.names) this.#operations.of(name).failed(startedMs)
    request.isCounted = true
  }

  /** Observes methods that are called with the commands of a pipeline or a transaction. */
  observeBatches (client: object, commandsAt: number): (() => void)[] {
    return ['_executeMulti', '_executePipeline'].map(name => wrapMethod(client, name, (receiver, original, args) => this.#batch(receiver, original, args, commandsAt)))
  }

  /** Observes the functions that pipelines and transactions are made with; `commandsAt`: which of their arguments are the commands. */
  observeMulti (client: object, commandsAt: number): (() => void)[] {
    const observe = (execute: Method): Method => (...args) => this.#batch(undefined, execute, args, commandsAt)
    return ['MULTI', 'multi'].map(name => wrapMethod(client, name, (receiver, original, args) => {
      const { Multi } = receiver as { Multi: new (...args: unknown[]) => object }
      function ObservedMulti (transact: Method, pipe: Method, ...rest: unknown[]): object {
        return Reflect.construct(Multi, [observe(transact), observe(pipe), ...rest]) as object
      }
      return Reflect.apply(original, Object.create(receiver, { Multi: { value: ObservedMulti } }), args)
    }))
  }

  #batch (receiver: unknown, execute: Method, args: unknown[], commandsAt: number): unknown {
    if (!this.#isOn) return Reflect.apply(execute, receiver, args)
    const names = (args[commandsAt] as readonly QueuedCommand[]).map(({ args: [name] }) => name)
    return this.begin(names, request => {
      this.handOn(request)
      try {
        return Reflect.apply(execute, receiver, args)
      } finally {
        this.take()
      }
    })
  }
}
