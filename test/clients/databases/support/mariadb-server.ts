import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort } from '../../../support/free-port.ts'
import { ServerProcess } from '../../../support/server-process.ts'

/** Debian has the server where only root looks for programs. */
const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` }

/** A real MariaDB of the test's own, that can be killed and started again on its port. User `root` has no password. */
export class MariadbServer extends ServerProcess {
  readonly port: number

  constructor (port: number, folder: string) {
    const settings = [`--socket=${join(folder, 'socket')}`, `--pid-file=${join(folder, 'pid')}`, '--bind-address=127.0.0.1', `--port=${port}`, '--innodb-flush-log-at-trx-commit=2', '--skip-name-resolve']
    super({
      program: 'mariadbd',
      options: { env },
      args: ['--no-defaults', ...placeOf(folder), ...settings],
      stream: 'stderr',
      ready: 'ready for connections',
      signal: 'SIGKILL'
    })
    this.port = port
  }
}

export async function startMariadb (t: Pick<Test, 'teardown'>): Promise<MariadbServer> {
  const folder = mkdtempSync(join(tmpdir(), 'vitals-mariadb-'))
  const server = new MariadbServer(await freePort(), folder)
  t.teardown(async () => {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  execFileSync('mariadb-install-db', ['--no-defaults', ...placeOf(folder), '--auth-root-authentication-method=normal', '--skip-test-db'], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  await server.start()
  return server
}

/** Who runs it, and where its data are. */
function placeOf (folder: string): string[] {
  return [`--user=${userInfo().username}`, `--datadir=${join(folder, 'data')}`]
}
