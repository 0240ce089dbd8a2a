import { once } from 'node:events'
import { describe } from './errors.ts'

/** npm passes on the Ctrl-C which the terminal has sent to this process already: that is not a second one. */
const sameSignalMs = 500

/**
 * The time from the start to the last resource given back. It ends with a signal (Ctrl-C), also in the middle of
 * the start, or with a failure; what was started is then stopped in reverse order.
 */
export class Lifetime {
  readonly #stop = new AbortController()
  readonly #hurry = new AbortController()
  readonly #releases: Array<() => unknown> = []
  #started = false
  #signalledAt = 0

  /** Aborted when the service has to stop. */
  get stopping (): AbortSignal {
    return this.#stop.signal
  }

  /** Aborted when it has to stop at once: somebody pressed Ctrl-C again. */
  get hurrying (): AbortSignal {
    return this.#hurry.signal
  }

  /** Runs `start`, then waits for the end, then releases everything that was kept. */
  async run (start: (lifetime: Lifetime) => Promise<void>): Promise<void> {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => this.#onSignal())
    try {
      await start(this)
      this.#started = true
      if (!this.stopping.aborted) await once(this.stopping, 'abort')
    } catch (error) {
      // A start that a signal cut short has not failed.
      if (!this.stopping.aborted) this.fail(error)
    }
    this.#started = true
    for (const release of this.#releases.reverse()) await release()
  }

  /** Remembers how to release a resource. Throws when the service is stopping already, which ends the start. */
  keep<Resource> (resource: Resource, release: (resource: Resource) => unknown): Resource {
    this.#releases.push(() => release(resource))
    this.stopping.throwIfAborted()
    return resource
  }

  /** Ends the service with an error: exit code 1 and one line on stderr. */
  fail (error: unknown): void {
    process.exitCode = 1
    console.error(describe(error))
    this.#stop.abort()
  }

  #onSignal (): void {
    if (!this.stopping.aborted) {
      console.log('\nStopping: open requests get a moment to finish. Ctrl-C again does not wait for them.')
      this.#signalledAt = performance.now()
      this.#stop.abort()
      return
    }
    if (performance.now() - this.#signalledAt < sameSignalMs) return
    // Before the service runs there is nothing to hurry: something in the start takes long, so leave it.
    if (!this.#started) process.exit()
    if (!this.hurrying.aborted) console.log('Stopping at once.')
    this.#hurry.abort()
  }
}
