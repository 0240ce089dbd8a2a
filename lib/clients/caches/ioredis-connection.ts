import { performance } from 'node:perf_hooks'
import type { RedisOperation, RedisOperations } from './redis-operation.ts'
import { RedisPipeline } from './redis-pipeline.ts'
import { RedisTransaction } from './redis-transaction.ts'
import { replaceMethod, wrapMethod } from '../wrap-method.ts'

/** What is used of a Redis or a Cluster of ioredis. */
export interface IoredisClient extends NodeJS.EventEmitter {
  readonly status: string
  readonly isCluster?: boolean
}

/** A command of ioredis: it settles through its own two functions, whoever calls them. */
interface Command {
  readonly name: string
  resolve: (value: unknown) => unknown
  reject: (error: unknown) => unknown
  [kObserved: symbol]: true | ((stream: object) => void) | undefined
}

type Handler = (...given: unknown[]) => unknown

/** What ioredis' Cluster does about an error; these two give up. */
interface Handlers {
  readonly maxRedirections: Handler
  readonly defaults: Handler
}

/** What the library sends by itself when it has connected, and what it restores after that. */
const HANDSHAKE: ReadonlySet<string> = new Set(['auth', 'client', 'cluster', 'hello', 'himport', 'info', 'monitor', 'readonly', 'select'])
const RESTORED: ReadonlySet<string> = new Set(['monitor', 'psubscribe', 'select', 'ssubscribe', 'subscribe'])

/** The commands of one client of ioredis, of a pipeline or not: all of them pass through `sendCommand()`. */
export class IoredisConnection {
  /** Marks commands that have been seen: they come again when the offline queue is sent, and after a reconnection; or how to see them again. */
  readonly #kObserved = Symbol('observed')
  readonly #client: IoredisClient
  readonly #operations: RedisOperations
  readonly #restores: (() => void)[]
  #isReady: boolean
  #transaction: RedisTransaction | undefined
  /** Pipelines of a cluster, which may be sent to another node, by the stream of each attempt. */
  readonly #pipelines = new WeakMap<object, RedisPipeline>()
  /** Those of which the library is about to decide whether they are sent again. */
  readonly #undecided = new Set<RedisPipeline>()

  constructor (client: IoredisClient, operations: RedisOperations) {
    this.#client = client
    this.#operations = operations
    this.#isReady = client.status === 'ready'
    const connection = this
    this.#restores = [replaceMethod(client, 'sendCommand', (original, replacement) => function (...args) {
      if (replacement.isOn && isCommand(args[0])) connection.#send(args[0], args[1] as object | undefined)
      return Reflect.apply(original, this, args)
    })]
    if (client.isCluster === true) this.#restores.push(wrapMethod(client, 'handleError', (receiver, original, args) => this.#decide(receiver, original, args)))
    client.prependListener('ready', this.#onReady)
    client.prependListener('close', this.#onClose)
  }

  detach (): void {
    for (const restore of this.#restores) restore()
    this.#client.off('ready', this.#onReady)
    this.#client.off('close', this.#onClose)
  }

  readonly #onReady = (): void => { this.#isReady = true }

  readonly #onClose = (): void => {
    this.#isReady = false
    // A MULTI without an answer is sent again, or fails.
    if (this.#transaction?.isBegun === true) this.#abandon(this.#transaction)
  }

  #send (command: Command, stream: object | undefined): void {
    const seen = command[this.#kObserved]
    if (seen === undefined) {
      if (!this.#isOfLibrary(command.name)) this.#observe(command, stream)
    } else if (seen !== true) {
      seen(stream!)
    }
  }

  #isOfLibrary (name: string): boolean {
    const { status, isCluster } = this.#client
    // What a cluster restores goes to its nodes directly; ASKING is before what it sends again.
    if (status === 'ready') return isCluster === true ? name === 'asking' : !this.#isReady && RESTORED.has(name)
    return status === 'connect' && HANDSHAKE.has(name)
  }

  #observe (command: Command, stream: object | undefined): void {
    command[this.#kObserved] = true
    const transaction = this.#transaction
    if (transaction !== undefined && !isMulti(command)) this.#queue(command, transaction)
    else if (transaction === undefined && isMulti(command)) this.#begin(command, stream !== undefined)
    else if (stream !== undefined && this.#client.isCluster) this.#watchInCluster(command, this.#operations.of(command.name), performance.now(), stream)
    else this.#watch(command, this.#operations.of(command.name))
  }

  /** In a pipeline, EXEC comes whatever becomes of MULTI. */
  #begin (command: Command, isInPipeline: boolean): void {
    const transaction = this.#transaction = new RedisTransaction()
    onSettled(command, () => { transaction.isBegun = true }, () => {
      if (!isInPipeline) this.#abandon(transaction)
    })
  }

  #queue (command: Command, transaction: RedisTransaction): void {
    const name = command.name.toLowerCase()
    if (name === 'exec' || name === 'discard') {
      this.#transaction = undefined
      onSettled(command, replies => transaction.ended(replies), () => transaction.failed())
    } else {
      const queued = transaction.add(this.#operations.of(command.name))
      onSettled(command, () => {}, () => queued.failed())
    }
  }

  /** One that is not to be ended any more. */
  #abandon (transaction: RedisTransaction): void {
    if (this.#transaction !== transaction) return
    this.#transaction = undefined
    transaction.failed()
  }

  /** The hot path: as `onSettled()`, with two functions less. Measured in bench. */
  #watch (command: Command, operation: RedisOperation): void {
    const startedMs = performance.now()
    const { resolve, reject } = command
    let isOver = false
    command.resolve = value => {
      const result = resolve(value)
      if (!isOver) operation.replied(startedMs, value)
      isOver = true
      return result
    }
    command.reject = error => {
      if (!isOver && !isSentAgain(command, error)) operation.failed(startedMs)
      isOver = true
      return reject(error)
    }
  }

  #watchInCluster (command: Command, operation: RedisOperation, startedMs: number, stream: object): void {
    command[this.#kObserved] = true
    const pipeline = this.#pipelines.get(stream) ?? new RedisPipeline(this.#undecided)
    this.#pipelines.set(stream, pipeline)
    pipeline.sent()
    onSettled(command, reply => {
      operation.replied(startedMs, reply)
      pipeline.settled()
    }, error => {
      if (!isRedirection(error)) {
        if (!isSentAgain(command, error)) operation.failed(startedMs)
        return pipeline.settled()
      }
      command[this.#kObserved] = (stream: object) => this.#watchInCluster(command, operation, startedMs, stream)
      const { reject } = command
      const tookMs = performance.now() - startedMs
      pipeline.settled({
        // Before the library decides, it gives the command new functions.
        isRenewed: () => command.reject !== reject,
        failed: () => operation.failed(performance.now() - tookMs)
      })
    })
  }

  /** The library decides about an error that may make it send a command, or a whole pipeline, again. */
  #decide (receiver: object, original: (...args: unknown[]) => unknown, args: unknown[]): unknown {
    const pipeline = [...this.#undecided].find(({ isRenewed }) => isRenewed)
    if (pipeline === undefined) return Reflect.apply(original, receiver, args)
    this.#undecided.delete(pipeline)
    const [error, redirections, handlers] = args as [unknown, unknown, Handlers]
    const givenUp = (handler: Handler): Handler => (...given) => {
      pipeline.failed()
      return handler(...given)
    }
    return Reflect.apply(original, receiver, [error, redirections, { ...handlers, maxRedirections: givenUp(handlers.maxRedirections), defaults: givenUp(handlers.defaults) }])
  }
}

function isMulti ({ name }: Command): boolean {
  return name === 'multi' || name === 'MULTI'
}

/** What is none is left for the library to refuse. */
function isCommand (given: unknown): given is Command {
  return typeof (given as Partial<Command> | null | undefined)?.resolve === 'function'
}

/** Records how a command settles, once, before whoever waits for it hears of it. */
function onSettled (command: Command, onReply: (reply: unknown) => void, onError: (error: unknown) => void): void {
  const { resolve, reject } = command
  let isOver = false
  command.resolve = value => {
    const result = resolve(value)
    if (!isOver) onReply(value)
    isOver = true
    return result
  }
  command.reject = error => {
    if (!isOver) onError(error)
    isOver = true
    return reject(error)
  }
}

/** A script that the server has forgotten is sent again in full, as another command. */
function isSentAgain (command: Command, error: unknown): boolean {
  return command.constructor.name === 'CustomScriptCommand' && String((error as Error).message).startsWith('NOSCRIPT')
}

/** What may make a cluster send a whole pipeline again. */
function isRedirection (error: unknown): boolean {
  return /^(?:(?:MOVED|ASK|TRYAGAIN|CLUSTERDOWN) |Connection is closed\.$)/.test((error as Error).message)
}
