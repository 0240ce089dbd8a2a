/**
 * One production of chunks for any number of readers. The fastest reader's demand drives it, the others replay; when the
 * readers stop, so does it.
 */
export class SharedStream<T> {
  readonly #source: AsyncIterator<T, void>
  readonly #chunks: T[] = []
  #advancing: Promise<void> | undefined
  #isDone = false

  constructor (source: AsyncIterable<T, void>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** Whether all was produced: a reader that joins later would only get what is past. */
  get isDone (): boolean {
    return this.#isDone
  }

  async * read (): AsyncGenerator<T, void, void> {
    for (let i = 0; ; i++) {
      while (i === this.#chunks.length) {
        if (this.#isDone) return
        await (this.#advancing ??= this.#advance())
      }
      yield this.#chunks[i]!
    }
  }

  async #advance (): Promise<void> {
    try {
      const { done, value } = await this.#source.next()
      if (done === true) this.#isDone = true
      else this.#chunks.push(value)
    } finally {
      this.#advancing = undefined
    }
  }
}
