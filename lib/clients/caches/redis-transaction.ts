import { performance } from 'node:perf_hooks'
import type { RedisOperation } from './redis-operation.ts'

/** A command that waits in a transaction. */
class Queued {
  readonly #operation: RedisOperation
  readonly #startedMs: number
  #isOver = false

  constructor (operation: RedisOperation, startedMs: number) {
    this.#operation = operation
    this.#startedMs = startedMs
  }

  replied (reply: unknown): void {
    if (!this.#isOver) this.#operation.replied(this.#startedMs, reply)
    this.#isOver = true
  }

  failed (): void {
    if (!this.#isOver) this.#operation.failed(this.#startedMs)
    this.#isOver = true
  }
}

/** The commands between MULTI and EXEC: each is settled by its own reply in the list of EXEC; one that is not run has failed. */
export class RedisTransaction {
  /** Whether MULTI has been answered. */
  isBegun = false
  readonly #queued: Queued[] = []

  add (operation: RedisOperation, startedMs: number = performance.now()): Queued {
    const queued = new Queued(operation, startedMs)
    this.#queued.push(queued)
    return queued
  }

  /** What EXEC answered: a list of replies, or nothing where a watched key had changed. DISCARD answers with no list either. */
  ended (replies: unknown): void {
    if (!Array.isArray(replies)) return this.failed()
    for (const [i, queued] of this.#queued.entries()) queued.replied(replies[i])
  }

  failed (): void {
    for (const queued of this.#queued) queued.failed()
  }
}
