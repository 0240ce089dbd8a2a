/** A command of a pipeline that failed with what may make the library send all of it again. */
interface Failure {
  /** Whether the command was made ready to be sent again. */
  isRenewed (): boolean
  /** It is not sent again. */
  failed (): void
}

/** One attempt of a pipeline of ioredis' Cluster: when all of it is answered, the library decides whether to send it to another node. */
export class RedisPipeline {
  #open = 0
  readonly #undecided: Set<RedisPipeline>
  readonly #failures: Failure[] = []

  /** It is added to `undecided` while all of it is answered, and taken out by who learns what the library decides. */
  constructor (undecided: Set<RedisPipeline>) {
    this.#undecided = undecided
  }

  sent (): void {
    this.#open++
    this.#undecided.delete(this)
  }

  settled (failure?: Failure): void {
    if (failure !== undefined) this.#failures.push(failure)
    if (--this.#open > 0 || this.#failures.length === 0) return
    this.#undecided.add(this)
    // Of one that cannot be sent again the library does not ask itself.
    setImmediate(() => { if (this.#undecided.delete(this)) this.failed() })
  }

  get isRenewed (): boolean {
    return this.#failures.some(failure => failure.isRenewed())
  }

  /** The library has given it up. */
  failed (): void {
    for (const { failed } of this.#failures) failed()
  }
}
