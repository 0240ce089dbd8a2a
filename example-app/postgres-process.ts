// Runs in a process of its own (embedded-postgres.ts): makes a database in a temporary folder, serves it until the
// channel to the parent closes, for whatever reason, and removes it.
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PostgresMessage } from './embedded-postgres.ts'

interface User { uid?: number, gid?: number }

const platforms: Partial<Record<NodeJS.Platform, string>> = { darwin: 'darwin', linux: 'linux' }

let server: ChildProcess | undefined
let parentGone = false
process.once('disconnect', () => {
  parentGone = true
  // PostgreSQL's "fast shutdown": it ends its connections, then itself. (initdb just ends.)
  server?.kill('SIGINT')
})
// These belong to the parent, which closes the channel when it is done.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})

const folder = await mkdtemp(join(tmpdir(), 'fastify-vitals-postgres-'))
try {
  await serve(folder, unprivilegedUser())
} catch (error) {
  tell({ failed: error instanceof Error ? error.message : String(error) })
} finally {
  await rm(folder, { recursive: true, force: true })
  if (process.connected) process.disconnect()
}

async function serve (folder: string, user: User): Promise<void> {
  const bin = await copyBinaries(join(folder, 'postgresql'))
  if (user.uid !== undefined) execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, folder])
  const data = join(folder, 'data')

  await run(join(bin, 'initdb'), ['--pgdata', data, '--username', 'postgres', '--auth', 'trust', '--encoding', 'UTF8', '--locale', 'C', '--no-sync'], user)
  // Reached through a socket in the folder, which is closed to others: no port, no password.
  const settings = ['listen_addresses=', `unix_socket_directories=${folder}`, 'port=5432', 'fsync=off']
  await run(join(bin, 'postgres'), ['-D', data, ...settings.flatMap((setting) => ['-c', setting])], user, () => {
    tell({ ready: `postgresql://postgres@localhost:5432/postgres?sslmode=disable&host=${encodeURIComponent(folder)}` })
  })
}

/** Runs one of PostgreSQL's programs to its end. */
async function run (program: string, args: string[], user: User, onReady?: () => void): Promise<void> {
  if (parentGone) return
  server = spawn(program, args, { ...user, cwd: dirname(program), stdio: ['ignore', 'ignore', 'pipe'] })
  let output = ''
  server.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-2_000)
    if (onReady !== undefined && output.includes('ready to accept connections')) {
      onReady()
      onReady = undefined
    }
  })
  const [code, signal] = await once(server, 'close')
  if (code !== 0 && !parentGone) throw new Error(`${basename(program)} ended with ${signal ?? `code ${code}`}: ${output.trim()}`)
}

/**
 * PostgreSQL refuses to run as root. Another user may be unable to read node_modules (a clone under /root), and npm
 * may have been told to run no install scripts, which make the libraries' links: a copy is right in every case.
 */
async function copyBinaries (target: string): Promise<string> {
  const platform = platforms[process.platform]
  if (platform === undefined) throw new Error(`it does not run on ${process.platform} here`)
  const entry = fileURLToPath(import.meta.resolve(`@embedded-postgres/${platform}-${process.arch}`))
  const native = join(dirname(entry), '..', 'native')
  await cp(native, target, { recursive: true, verbatimSymlinks: true })

  const links: Array<{ source: string, target: string }> = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8'))
  for (const link of links) {
    // The paths begin with "native".
    const path = join(target, '..', link.target.replace(/^native/, basename(target)))
    await symlink(basename(link.source), path).catch((error) => { if (error.code !== 'EEXIST') throw error })
  }
  return join(target, 'bin')
}

/** For root: the user to run as. For others: themselves. */
function unprivilegedUser (): User {
  if (process.getuid?.() !== 0) return {}
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] })))
      if (uid && gid) return { uid, gid }
    } catch { /* No such user: try the next. */ }
  }
  throw new Error('it does not run as root, and there is no user "postgres" or "nobody"')
}

function tell (message: PostgresMessage): void {
  if (process.connected) process.send?.(message)
}
