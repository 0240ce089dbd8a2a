/** What the store has to say, each once: to a listener, or kept until there is one. */
export class Warnings {
  readonly #warned = new Set<string>()
  readonly #unheard: string[] = []
  #listener: ((message: string) => void) | undefined

  /** Passes on what was said before, and from then on all that is; the first listener stays. */
  listen (listener: (message: string) => void): void {
    this.#listener ??= listener
    for (const message of this.#unheard.splice(0)) this.#listener(message)
  }

  /** Says something unless it was said under that key. */
  once (key: string, message: string): void {
    if (this.#warned.has(key)) return
    this.#warned.add(key)
    if (this.#listener === undefined) {
      this.#unheard.push(message)
      return
    }
    try {
      this.#listener(message)
    } catch {
      // A logger that fails must not fail the record that it was to be told of.
    }
  }
}
