import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort } from '../../support/free-port.ts'

/** Debian has the server where only root looks for programs. */
const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` }

/** A real MariaDB of the test's own, that can be killed and started again on its port. User `root` has no password. */
export class MariadbServer {
  readonly port: number
  readonly #folder: string
  #process: ChildProcess | undefined

  constructor (port: number, folder: string) {
    this.port = port
    this.#folder = folder
  }

  initialize (): void {
    execFileSync('mariadb-install-db', ['--no-defaults', `--user=${userInfo().username}`, `--datadir=${this.#data}`, '--auth-root-authentication-method=normal', '--skip-test-db'], { env, stdio: 'ignore' })
  }

  /** Resolves once it takes connections. */
  async start (): Promise<void> {
    const settings = [`--user=${userInfo().username}`, `--datadir=${this.#data}`, `--socket=${join(this.#folder, 'socket')}`, `--pid-file=${join(this.#folder, 'pid')}`, '--bind-address=127.0.0.1', `--port=${this.port}`, '--innodb-flush-log-at-trx-commit=2', '--skip-name-resolve']
    const server = this.#process = spawn('mariadbd', ['--no-defaults', ...settings], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    for await (const text of server.stderr!.setEncoding('utf8').iterator({ destroyOnReturn: false })) if (String(text).includes('ready for connections')) break
    server.stderr!.resume()
  }

  /** Resolves once it is gone, without a goodbye to its clients. */
  async kill (): Promise<void> {
    const server = this.#process
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    const gone = once(server, 'exit')
    server.kill('SIGKILL')
    await gone
  }

  get #data (): string {
    return join(this.#folder, 'data')
  }
}

export async function startMariadb (t: Test): Promise<MariadbServer> {
  const folder = mkdtempSync(join(tmpdir(), 'vitals-mariadb-'))
  const server = new MariadbServer(await freePort(), folder)
  t.teardown(async () => {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  server.initialize()
  await server.start()
  return server
}
