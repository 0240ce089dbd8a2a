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
    let next = 0
    while (await this.#has(next)) yield this.#chunks[next++]!
  }

  /** Whether there is a chunk of this number; has it produced if it is the next. */
  async #has (number: number): Promise<boolean> {
    while (number === this.#chunks.length && !this.#isDone) await (this.#advancing ??= this.#advance())
    return number < this.#chunks.length
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
