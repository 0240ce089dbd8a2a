import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Keeps the token in a file that only this user can read, for as long as the process lives. Prometheus takes it
 * from there, so that neither its configuration nor a command line has to contain the token.
 */
export async function writeTokenFile (token: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fastify-vitals-example-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'metrics-token')
  await writeFile(file, token, { mode: 0o600 })
  return file
}
