import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort } from './free-port.ts'
import { ServerProcess } from './server-process.ts'

/** A real Redis of the test's own, that can be killed and started again on its port. */
export class RedisServer extends ServerProcess {
  readonly port: number

  constructor (port: number, folder: string, options: readonly string[] = []) {
    super({
      program: 'redis-server',
      args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder, ...options],
      stream: 'stdout',
      ready: 'Ready to accept connections',
      signal: 'SIGKILL'
    })
    this.port = port
  }

  /** What the server answers first to an inline command, or several, on a connection of its own. */
  async run (command: string): Promise<string> {
    return await ask(this.port, command)
  }

  /** Lets nobody have an answer for so long. */
  async pause (milliseconds: number): Promise<void> {
    await this.run(`CLIENT PAUSE ${milliseconds}`)
  }

  /** Resolves once a client waits in a blocking command. */
  async isBlocking (): Promise<void> {
    while (!(await this.run('INFO clients')).includes('blocked_clients:1'));
  }
}

/** What answers there first to an inline command, or several. */
export async function ask (port: number, command: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  socket.write(`${command}\r\n`)
  const [answer] = await once(socket, 'data') as [string]
  socket.destroy()
  return answer
}

/** `options` of the command line of redis-server. */
export async function startRedis (t: Pick<Test, 'teardown'>, options: readonly string[] = []): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'vitals-redis-'))
  const server = new RedisServer(await freePort(), folder, options)
  t.teardown(async () => {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  await server.start()
  return server
}
