import { performance } from 'node:perf_hooks'
import type { Command } from './ioredis-command.ts'
import { isEnd, isMulti, isSentAgain, onSettled } from './ioredis-command.ts'
import type { RedisOperation, RedisOperations } from './redis-operation.ts'
import { RedisPipeline } from './redis-pipeline.ts'
import { RedisTransaction } from './redis-transaction.ts'
import { wrapMethod } from '../wrap-method.ts'

type Method = (...args: unknown[]) => unknown

/** What ioredis' Cluster does about an error; these two give up. */
interface Handlers {
  readonly maxRedirections: Method
  readonly defaults: Method
}

/** A pipeline or a transaction, with its commands. */
interface Pipeline {
  readonly _queue: readonly Command[]
}

/** A transaction within a pipeline, for one attempt. */
class ClusterTransaction {
  readonly replies = new RedisTransaction()
  readonly #seeAgain: (() => void)[] = []
  isRedirected = false

  add (seeAgain: () => void): void {
    this.#seeAgain.push(seeAgain)
  }

  /** Its commands are to be looked at, if they come once more. */
  mayComeAgain (): void {
    for (const see of this.#seeAgain) see()
  }
}

/** One attempt of a pipeline, and the transaction that is open in it. */
interface Attempt {
  readonly pipeline: RedisPipeline
  transaction: ClusterTransaction | undefined
}

/** The pipelines of a Cluster of ioredis: they may be sent to another node as a whole, or never leave the library. */
export class IoredisCluster {
  readonly #operations: RedisOperations
  readonly #kObserved: symbol
  readonly #restores: (() => void)[]
  /** By the stream of each. */
  readonly #attempts = new WeakMap<object, Attempt>()
  /** Those of which the library is about to decide whether they are sent again. */
  readonly #undecided = new Set<RedisPipeline>()
  /** What fails if what the library puts off now cannot be done. */
  #putOff: (() => void) | undefined
  #isAttached = true

  constructor (cluster: object, operations: RedisOperations, kObserved: symbol) {
    this.#operations = operations
    this.#kObserved = kObserved
    this.#restores = [
      wrapMethod(cluster, 'handleError', (receiver, original, args) => this.#decide(receiver, original, args)),
      wrapMethod(cluster, 'delayUntilReady', (receiver, original, args) => this.#delay(receiver, original, args)),
      ...['pipeline', 'multi'].map(name => wrapMethod(cluster, name, (receiver, original, args) => {
        const made = Reflect.apply(original, receiver, args) as object
        if ('_queue' in made) this.#observe(made as Pipeline)
        return made
      }))
    ]
  }

  detach (): void {
    this.#isAttached = false
    for (const restore of this.#restores) restore()
  }

  /** A command of a pipeline is being sent. */
  sent (command: Command, stream: object): void {
    const attempt = this.#attempt(command, stream)
    if (isMulti(command) || attempt.transaction !== undefined) this.#transact(command, attempt, performance.now())
    else this.#watch(command, attempt, this.#operations.of(command.name), performance.now())
  }

  #watch (command: Command, { pipeline }: Attempt, operation: RedisOperation, startedMs: number): void {
    onSettled(command, reply => {
      operation.replied(startedMs, reply)
      pipeline.settled()
    }, error => {
      if (!isRedirection(error)) {
        if (!isSentAgain(command, error)) operation.failed(startedMs)
        return pipeline.settled()
      }
      this.#seeAgain(command, attempt => this.#watch(command, attempt, operation, startedMs))
      const { reject } = command
      const tookMs = performance.now() - startedMs
      pipeline.settled({
        // Before the library decides, it gives the command new functions.
        isRenewed: () => command.reject !== reject,
        failed: () => operation.failed(performance.now() - tookMs)
      })
    })
  }

  /** Between MULTI and EXEC, and these two: the error of EXEC does not tell that it is one of its commands which is redirected. */
  #transact (command: Command, attempt: Attempt, startedMs: number): void {
    const { pipeline } = attempt
    if (isMulti(command)) attempt.transaction ??= new ClusterTransaction()
    const transaction = attempt.transaction!
    transaction.add(() => this.#seeAgain(command, attempt => this.#transact(command, attempt, startedMs)))
    if (isEnd(command)) {
      attempt.transaction = undefined
      onSettled(command, replies => {
        transaction.replies.ended(replies)
        pipeline.settled()
      }, error => {
        if (!transaction.isRedirected && !isRedirection(error)) {
          transaction.replies.failed()
          return pipeline.settled()
        }
        transaction.mayComeAgain()
        const { reject } = command
        pipeline.settled({ isRenewed: () => command.reject !== reject, failed: () => transaction.replies.failed() })
      })
    } else {
      const queued = isMulti(command) ? undefined : transaction.replies.add(this.#operations.of(command.name), startedMs)
      onSettled(command, () => pipeline.settled(), error => {
        if (isRedirection(error)) transaction.isRedirected = true
        else queued?.failed()
        pipeline.settled()
      })
    }
  }

  #seeAgain (command: Command, see: (attempt: Attempt) => void): void {
    command[this.#kObserved] = stream => see(this.#attempt(command, stream))
  }

  #attempt (command: Command, stream: object): Attempt {
    const attempt = this.#attempts.get(stream) ?? { pipeline: new RedisPipeline(this.#undecided), transaction: undefined }
    this.#attempts.set(stream, attempt)
    attempt.pipeline.sent()
    command[this.#kObserved] = true
    return attempt
  }

  /** The library decides about an error that may make it send a command, or a whole pipeline, again. */
  #decide (receiver: object, original: Method, args: unknown[]): unknown {
    const pipeline = [...this.#undecided].find(({ isRenewed }) => isRenewed)
    if (pipeline === undefined) return Reflect.apply(original, receiver, args)
    this.#undecided.delete(pipeline)
    const [error, redirections, handlers] = args as [unknown, unknown, Handlers]
    const givenUp = (handler: Method): Method => (...given) => {
      pipeline.failed()
      return handler(...given)
    }
    return Reflect.apply(original, receiver, [error, redirections, { ...handlers, maxRedirections: givenUp(handlers.maxRedirections), defaults: givenUp(handlers.defaults) }])
  }

  /** The library puts off what it does not know the nodes for: a pipeline, or a command that it would put into one and does not name. */
  #delay (receiver: object, original: Method, args: unknown[]): unknown {
    const [callback] = args as [Method]
    const startedMs = performance.now()
    const fail = this.#putOff ?? (() => this.#operations.of(undefined).failed(startedMs))
    return Reflect.apply(original, receiver, [(error: unknown) => {
      if (error) fail()
      return callback(error)
    }])
  }

  /** Those of its commands have failed that are not under way when it fails. Its promises are left alone, so that nobody is taken to handle them. */
  #observe (pipeline: Pipeline): void {
    let startedMs = 0
    const fail = (): void => {
      if (!this.#isAttached) return
      for (const command of pipeline._queue.filter(command => command[this.#kObserved] !== true)) {
        command[this.#kObserved] = true
        if (!isMulti(command) && !isEnd(command) && command.name !== 'asking') this.#operations.of(command.name).failed(startedMs)
      }
    }
    wrapMethod(pipeline, 'exec', (receiver, original, args) => {
      startedMs ||= performance.now()
      this.#putOff = fail
      try {
        return Reflect.apply(original, receiver, args)
      } finally {
        this.#putOff = undefined
      }
    })
    wrapMethod(pipeline, 'reject', (receiver, original, args) => {
      fail()
      return Reflect.apply(original, receiver, args)
    })
  }
}

/** What may make a cluster send a whole pipeline again. */
function isRedirection (error: unknown): boolean {
  return /^(?:(?:MOVED|ASK|TRYAGAIN|CLUSTERDOWN) |Connection is closed\.$)/.test((error as Error).message)
}
