import { performance } from 'node:perf_hooks'
import type { Redirections, Routing } from './node-redis-attempt.ts'
import type { NodeRedisClient } from './node-redis-connection.ts'
import { isFrom, NodeRedisConnection } from './node-redis-connection.ts'
import { observeMethods, SUBSCRIPTIONS } from './node-redis-methods.ts'
import { NodeRedisRequests } from './node-redis-requests.ts'
import type { RedisOperations } from './redis-operation.ts'
import { wrapMethod } from '../wrap-method.ts'

/** A pool of node-redis. */
export interface NodeRedisPool {
  readonly isOpen: boolean
}

/** A cluster of node-redis. */
export interface NodeRedisCluster {
  readonly isOpen: boolean
  readonly _slots: object
}

/** A sentinel of node-redis. */
export interface NodeRedisSentinel {
  readonly isOpen: boolean
  readonly isReady: boolean
}

type Task = (client: NodeRedisClient, ...rest: unknown[]) => unknown

type Method = (...args: unknown[]) => unknown

/** The connections of a pool, a cluster or a sentinel, each observed when it is used first and held weakly, since the library drops them as it likes. */
export class NodeRedisGroup {
  readonly #operations: RedisOperations
  readonly #requests: NodeRedisRequests
  readonly #observed: WeakSet<object>
  readonly #routing: Routing = { current: undefined }
  readonly #connections = new WeakMap<object, NodeRedisConnection>()
  readonly #members = new Set<WeakRef<object>>()
  readonly #restores: (() => void)[] = []
  #isAttached = true

  constructor (operations: RedisOperations, observed: WeakSet<object>) {
    this.#operations = operations
    this.#requests = new NodeRedisRequests(operations)
    this.#observed = observed
  }

  /** Everything that a pool does is a task for one of its clients. */
  observePool (pool: NodeRedisPool): void {
    this.#restores.push(...this.#requests.observeMulti(pool, 0), wrapMethod(pool, 'execute', (receiver, original, [task]) => {
      const request = this.#requests.take()
      const startedMs = performance.now()
      let isHanded = false
      const observed: Task = (client, ...rest) => {
        isHanded = true
        if (request !== undefined) request.isCounted = true
        this.#observe(client)
        return (task as Task)(client, ...rest)
      }
      return (Reflect.apply(original, receiver, [observed]) as Promise<unknown>).then(undefined, error => {
        if (!isHanded) this.#requests.failed(request, startedMs)
        throw error
      })
    }))
  }

  /** All ways to a node pass through `nodeClient()`; `_execute()` sends a command, again where it is redirected. */
  observeCluster (cluster: NodeRedisCluster): void {
    this.#restores.push(
      wrapMethod(cluster._slots, 'nodeClient', (receiver, original, args) => {
        return (Reflect.apply(original, receiver, args) as Promise<NodeRedisClient>).then(client => {
          this.#observe(client)
          return client
        })
      }),
      wrapMethod(cluster._slots, 'getClientAndSlotNumber', (receiver, original, args) => this.#find(receiver, original, args)),
      wrapMethod(cluster, '_execute', (receiver, original, args) => this.#route(receiver, original, args, 3, isRedirected)),
      ...this.#requests.observeMulti(cluster, 2),
      ...observeMethods(cluster, SUBSCRIPTIONS, this.#operations)
    )
    if ('_executeWithPolicies' in cluster) this.#restores.push(wrapMethod(cluster, '_executeWithPolicies', (receiver, original, args) => this.#plan(receiver, original, args)))
  }

  /** Everything that a sentinel does is a task for one of its clients, and so it is for the leases that it gives. */
  observeSentinel (sentinel: NodeRedisSentinel): void {
    this.#restores.push(
      wrapMethod(sentinel, '_execute', (receiver, original, args) => this.#route(receiver, original, args, 1, isAny)),
      wrapMethod(sentinel, 'acquire', (receiver, original, args) => {
        return (Reflect.apply(original, receiver, args) as Promise<object>).then(lease => this.#observeLease(lease))
      }),
      wrapMethod(sentinel, 'use', (receiver, original, [task]) => {
        return Reflect.apply(original, receiver, [(lease: object) => (task as (lease: object) => unknown)(this.#observeLease(lease))])
      }),
      ...this.#requests.observeBatches(sentinel, 1),
      ...observeMethods(sentinel, SUBSCRIPTIONS, this.#operations)
    )
  }

  /** Whether one of its connections is ready; `undefined` where none is known. */
  get isReady (): boolean | undefined {
    let isReady: boolean | undefined
    for (const ref of this.#members) {
      const client = ref.deref() as NodeRedisClient | undefined
      if (client?.isOpen !== true) this.#members.delete(ref)
      else isReady = isReady === true || client.isReady
    }
    return isReady
  }

  detach (): void {
    this.#isAttached = false
    this.#requests.detach()
    for (const restore of this.#restores) restore()
    for (const self of [...this.#members].map(ref => ref.deref()).filter(self => self !== undefined)) {
      this.#connections.get(self)!.detach()
      this.#observed.delete(self)
    }
  }

  /** Not for what waited for a connection when this was detached. */
  #observe (client: NodeRedisClient): void {
    const { _self: self } = client as unknown as { _self: NodeRedisClient }
    if (!this.#isAttached || this.#observed.has(self)) return
    this.#observed.add(self)
    this.#connections.set(self, new NodeRedisConnection(self, this.#operations, this.#routing))
    this.#members.add(new WeakRef(self))
  }

  #observeLease (lease: object): object {
    const { _self: self } = lease as { _self: object }
    wrapMethod(self, '_execute', (receiver, original, args) => {
      return this.#isAttached ? this.#route(receiver, original, args, 1, isAny) : Reflect.apply(original, receiver, args)
    })
    this.#requests.observeBatches(self, 1)
    return lease
  }

  /** Version 6 looks for the nodes of a command first where it has no key, or is for several; `makeTask()` is called for each that it found. */
  #plan (receiver: object, original: Method, args: unknown[]): unknown {
    const [parser, isReadonly, options, makeTask] = args as [{ redisArgs: readonly unknown[] }, unknown, unknown, Method]
    return this.#requests.begin([parser.redisArgs[0]], request => Reflect.apply(original, receiver, [parser, isReadonly, options, (part: unknown) => {
      const task = makeTask(part)
      this.#requests.handOn(request)
      return task
    }]))
  }

  /** The way of a pipeline, and in version 5 of a transaction, which are handed to a node without `_execute()`. */
  #find (receiver: object, original: Method, args: unknown[]): unknown {
    const request = this.#requests.take()
    const finding = Reflect.apply(original, receiver, args) as Promise<unknown>
    return request === undefined
      ? finding
      : finding.then(found => {
        request.isCounted = true
        return found
      })
  }

  /** `taskAt`: which of the arguments is given the client that it sends the command by. */
  #route (receiver: object, original: Method, args: unknown[], taskAt: number, isOpen: Redirections['isOpen']): unknown {
    const request = this.#requests.take()
    const redirections: Redirections = { isOpen, startedMs: 0, attempt: undefined }
    const startedMs = performance.now()
    const task = args[taskAt] as Task
    let isHanded = false
    const observed: Task = (client, ...rest) => {
      isHanded = true
      this.#observe(client)
      this.#routing.current = redirections
      try {
        return task(client, ...rest)
      } finally {
        this.#routing.current = undefined
      }
    }
    return (Reflect.apply(original, receiver, args.toSpliced(taskAt, 1, observed)) as Promise<unknown>).then(undefined, error => {
      if (!isHanded) this.#requests.failed(request, startedMs)
      redirections.attempt?.keep()
      if (request !== undefined) request.isCounted = true
      throw error
    })
  }
}

/** A cluster sends a command elsewhere only where a node says so. */
function isRedirected (error: unknown): boolean {
  return isFrom(error, 'MOVED') || isFrom(error, 'ASK')
}

/** A sentinel may, whatever it was: it asks whether the connection is ready still. */
function isAny (): boolean {
  return true
}
