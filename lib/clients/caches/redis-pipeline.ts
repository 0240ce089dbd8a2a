/** One attempt of a pipeline of ioredis' Cluster: when all of it is answered, the library decides whether to send it to another node. */
export class RedisPipeline {
  #open = 0
  readonly #checks: (() => void)[] = []

  sent (): void {
    this.#open++
  }

  /** `check` is called once the library has decided. */
  settled (check?: () => void): void {
    if (check !== undefined) this.#checks.push(check)
    if (--this.#open > 0 || this.#checks.length === 0) return
    setImmediate(() => { for (const check of this.#checks) check() })
  }
}
