import { performance } from 'node:perf_hooks'
import type { FastifyBaseLogger } from 'fastify'

/** When a scrape has to be over; `signal` tells whoever works for it. */
export class Deadline {
  readonly #controller = new AbortController()
  readonly #log: FastifyBaseLogger
  #endsAt = Infinity
  #timer: NodeJS.Timeout | undefined

  constructor (log: FastifyBaseLogger) {
    this.#log = log
  }

  get signal (): AbortSignal {
    return this.#controller.signal
  }

  /** Ends in this time, with a line in the log, unless it ends earlier anyway. */
  endWithin (milliseconds: number, reason: string): void {
    const endsAt = performance.now() + milliseconds
    if (endsAt >= this.#endsAt) return
    this.#endsAt = endsAt
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#log.warn(`metrics scrape cut off: ${reason}`)
      this.end()
    }, milliseconds).unref()
  }

  /** Ends now: the response is closed. */
  end (): void {
    clearTimeout(this.#timer)
    this.#controller.abort()
  }

  /** The promise's outcome, or a rejection as soon as the deadline is over. */
  async race<T> (promise: Promise<T>): Promise<T> {
    const { signal } = this
    let stop!: () => void
    const over = new Promise<never>((_resolve, reject) => { stop = () => reject(signal.reason) })
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    try {
      return await Promise.race([promise, over])
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }
}
