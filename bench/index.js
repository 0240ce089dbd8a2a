// npm run bench [-- section …] [--node=<major>] [--generations=6] [--rounds=12] [--peers=bare,vitals]
// Sets itself up: builds the product, installs the peers, and gets a Node that runs all of them where this one is too old.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const bench = fileURLToPath(new URL('.', import.meta.url))
const args = process.argv.slice(2)

const current = process.versions.node.split('.')[0]
const wanted = args.find((arg) => arg.startsWith('--node='))?.slice('--node='.length) ?? String(Math.max(24, Number(current)))

run('npm', ['run', 'build', '--silent'], root)
if (!existsSync(`${bench}node_modules/.package-lock.json`)) run('npm', ['ci', '--loglevel=error'], bench)

if (wanted === current) run(process.execPath, ['run.js', ...args], bench)
else run('npm', ['exec', '--yes', `--package=node-${process.platform}-${process.arch}@${wanted}`, '--', 'node', 'run.js', ...args], bench)

function run (command, commandArgs, cwd) {
  const { status, error } = spawnSync(command, commandArgs, { cwd, stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) process.exit(status)
}
