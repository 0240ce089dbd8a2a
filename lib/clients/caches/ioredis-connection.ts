import { performance } from 'node:perf_hooks'
import { IoredisCluster } from './ioredis-cluster.ts'
import type { Command } from './ioredis-command.ts'
import { isCommand, isEnd, isMulti, isSentAgain, onSettled } from './ioredis-command.ts'
import type { RedisOperation, RedisOperations } from './redis-operation.ts'
import { RedisTransaction } from './redis-transaction.ts'
import { replaceMethod } from '../wrap-method.ts'

/** What is used of a Redis or a Cluster of ioredis. */
export interface IoredisClient extends NodeJS.EventEmitter {
  readonly status: string
  readonly isCluster?: boolean
}

/** What the library sends by itself when it has connected, and what it restores after that. */
const HANDSHAKE: ReadonlySet<string> = new Set(['auth', 'client', 'cluster', 'hello', 'himport', 'info', 'monitor', 'readonly', 'select'])
const RESTORED: ReadonlySet<string> = new Set(['monitor', 'psubscribe', 'select', 'ssubscribe', 'subscribe'])

/** The commands of one client of ioredis, of a pipeline or not: all of them pass through `sendCommand()`. */
export class IoredisConnection {
  readonly #kObserved = Symbol('observed')
  readonly #client: IoredisClient
  readonly #operations: RedisOperations
  readonly #restore: () => void
  #isReady: boolean
  #transaction: RedisTransaction | undefined
  readonly #cluster: IoredisCluster | undefined

  constructor (client: IoredisClient, operations: RedisOperations) {
    this.#client = client
    this.#operations = operations
    this.#isReady = client.status === 'ready'
    const connection = this
    this.#restore = replaceMethod(client, 'sendCommand', (original, replacement) => function (...args) {
      if (replacement.isOn && isCommand(args[0])) connection.#send(args[0], args[1] as object | undefined)
      return Reflect.apply(original, this, args)
    })
    this.#cluster = client.isCluster === true ? new IoredisCluster(client, operations, this.#kObserved) : undefined
    client.prependListener('ready', this.#onReady)
    client.prependListener('close', this.#onClose)
  }

  detach (): void {
    this.#restore()
    this.#cluster?.detach()
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
    if (stream !== undefined && this.#cluster !== undefined) return this.#cluster.sent(command, stream)
    command[this.#kObserved] = true
    const transaction = this.#transaction
    if (transaction !== undefined && !isMulti(command)) this.#queue(command, transaction)
    else if (transaction === undefined && isMulti(command)) this.#begin(command, stream !== undefined)
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
    if (isEnd(command)) {
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
}
