import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort } from './free-port.ts'

/** A real Redis of the test's own, that can be killed and started again on its port. */
export class RedisServer {
  readonly port: number
  readonly #folder: string
  #process: ChildProcess | undefined

  readonly #options: readonly string[]

  constructor (port: number, folder: string, options: readonly string[] = []) {
    this.port = port
    this.#folder = folder
    this.#options = options
  }

  /** Resolves once it takes connections. */
  async start (): Promise<void> {
    const server = this.#process = spawn('redis-server', ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', this.#folder, ...this.#options], { stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const text of server.stdout!.setEncoding('utf8')) if (String(text).includes('Ready to accept connections')) break
    server.stdout!.resume()
  }

  /** What the server answers first to an inline command, or several, on a connection of its own. */
  async run (command: string): Promise<string> {
    const socket = connect(this.port, '127.0.0.1').setEncoding('utf8')
    socket.write(`${command}\r\n`)
    const [answer] = await once(socket, 'data') as [string]
    socket.destroy()
    return answer
  }

  /** Lets nobody have an answer for so long. */
  async pause (milliseconds: number): Promise<void> {
    await this.run(`CLIENT PAUSE ${milliseconds}`)
  }

  /** Resolves once a client waits in a blocking command. */
  async isBlocking (): Promise<void> {
    while (!(await this.run('INFO clients')).includes('blocked_clients:1'));
  }

  /** Resolves once it is gone, without a goodbye to its clients. */
  async kill (): Promise<void> {
    const server = this.#process
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    const gone = once(server, 'exit')
    server.kill('SIGKILL')
    await gone
  }
}

/** `options` of the command line of redis-server. */
export async function startRedis (t: Test, options: readonly string[] = []): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'vitals-redis-'))
  const server = new RedisServer(await freePort(), folder, options)
  t.teardown(async () => {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  await server.start()
  return server
}
