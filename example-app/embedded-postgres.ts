import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { StartError } from './errors.ts'

/** What the process of postgres-process.ts says to this one. */
export type PostgresMessage = { ready: string } | { failed: string }

const script = fileURLToPath(new URL('./postgres-process.js', import.meta.url))

/**
 * A real PostgreSQL with an empty database, for as long as this process lives. A process of its own looks after it:
 * Ctrl-C in the terminal does not reach it before the service has finished, and it ends even if this process is killed.
 */
export class EmbeddedPostgres {
  #keeper: ChildProcess | undefined
  #stopping = false

  /** Called when the database dies without being told to. */
  onFailure: (error: Error) => void = () => {}

  /** Returns the connection string. An aborted signal ends the start. */
  async start (signal: AbortSignal): Promise<string> {
    const keeper = fork(script, { detached: true, execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.#keeper = keeper
    const [message] = await Promise.race([
      once(keeper, 'message', { signal }) as Promise<[PostgresMessage]>,
      once(keeper, 'exit').then(([code]): [PostgresMessage] => [{ failed: `its process ended with code ${code}` }]),
    ])
    if ('failed' in message) {
      throw new StartError(`Cannot start the embedded PostgreSQL: ${message.failed}. DATABASE_URL uses another one.`)
    }
    keeper.once('exit', () => {
      if (!this.#stopping) this.onFailure(new StartError('The embedded PostgreSQL has stopped.'))
    })
    return message.ready
  }

  /** Resolves when the server has ended and its files are removed. */
  async stop (): Promise<void> {
    const keeper = this.#keeper
    this.#stopping = true
    if (keeper === undefined || keeper.exitCode !== null || keeper.signalCode !== null) return
    const ended = once(keeper, 'exit')
    if (keeper.connected) keeper.disconnect()
    await ended
  }
}
