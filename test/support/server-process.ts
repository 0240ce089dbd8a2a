import { spawn } from 'node:child_process'
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { once } from 'node:events'

/** How a server is run. */
export interface ServerCommand {
  readonly program: string
  readonly args: readonly string[]
  readonly options?: SpawnOptions
  /** Where it says that it takes connections, and how. */
  readonly stream: 'stdout' | 'stderr'
  readonly ready: string
  /** What ends it without a goodbye to its clients. */
  readonly signal: NodeJS.Signals
}

/** A real server of the test's own, that can be killed and started again. */
export class ServerProcess {
  readonly #command: ServerCommand
  #process: ChildProcess | undefined

  constructor (command: ServerCommand) {
    this.#command = command
  }

  /** Resolves once it takes connections. */
  async start (): Promise<void> {
    const { program, args, options, stream, ready } = this.#command
    const server = this.#process = spawn(program, args, { ...options, stdio: ['ignore', stream === 'stdout' ? 'pipe' : 'ignore', stream === 'stderr' ? 'pipe' : 'inherit'] })
    const output = server[stream]!
    let text = ''
    for await (const piece of output.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
      text += String(piece)
      if (text.includes(ready)) break
    }
    output.resume()
    if (!text.includes(ready)) throw new Error(`${program} ended before it took connections:\n${text}`)
  }

  /** Resolves once it is gone. */
  async kill (): Promise<void> {
    const server = this.#process
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    const gone = once(server, 'exit')
    server.kill(this.#command.signal)
    await gone
  }
}
