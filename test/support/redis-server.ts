import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort } from './free-port.ts'

/** A real Redis of the test's own, that can be killed and started again on its port. */
export class RedisServer {
  readonly port: number
  readonly #folder: string
  #process: ChildProcess | undefined

  constructor (port: number, folder: string) {
    this.port = port
    this.#folder = folder
  }

  /** Resolves once it takes connections. */
  async start (): Promise<void> {
    const server = this.#process = spawn('redis-server', ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', this.#folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const text of server.stdout!.setEncoding('utf8')) if (String(text).includes('Ready to accept connections')) break
    server.stdout!.resume()
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

export async function startRedis (t: Test): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'vitals-redis-'))
  const server = new RedisServer(await freePort(), folder)
  t.teardown(async () => {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  await server.start()
  return server
}
