/**
 * Runs the tests on several versions of Node: `npm run matrix` for all, `npm run matrix -- 22 26` for some. Where that Node is new enough
 * for OpenTelemetry's SDK 3, the suites that use the SDK run once more with that. A version of Node that does not run this script, and
 * SDK 3, come from npm into node_modules/.cache.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const modules = join(root, 'node_modules')
const cache = join(modules, '.cache')
const versions = process.argv.length > 2 ? process.argv.slice(2) : ['20', '22', '24', '26']

/** The lowest Node that SDK 3 is tested on. */
const NODE_OF_SDK_3 = 24
const SDK_3 = [
  '@opentelemetry/api@^1.10.0',
  ...['context-async-hooks', 'resources', 'sdk-metrics', 'sdk-trace'].map(name => `@opentelemetry/${name}@^3.0.0`),
  ...['exporter-metrics-otlp-grpc', 'exporter-metrics-otlp-http', 'exporter-metrics-otlp-proto', 'sdk-node'].map(name => `@opentelemetry/${name}@>=0.301.0 <1`)
]
/** The lowest Node that better-sqlite3 13 runs on, and where 12 lies meanwhile. */
const NODE_OF_SQLITE_13 = 22
const SQLITE = join(modules, 'better-sqlite3')
const SQLITE_ASIDE = join(cache, 'better-sqlite3-12')
const SUITES_OF_SDK = ['test/export', 'test/bridges']

/** The environment in which `node` and npm are this Node. */
function environmentOf (node) {
  return { ...process.env, PATH: dirname(node) + delimiter + process.env.PATH }
}

function install (folder, packages, env = process.env) {
  mkdirSync(folder, { recursive: true })
  const { status, stderr } = spawnSync('npm', ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', ...packages], { cwd: folder, env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${packages.join(', ')} could not be installed from npm:\n${stderr}`)
}

/** The path of a Node of this version, installed first if need be. */
function nodeOf (version) {
  if (process.versions.node.split('.')[0] === version) return process.execPath
  const folder = join(cache, 'nodes', version)
  const name = `node-${process.platform}-${process.arch}`
  const node = join(folder, 'node_modules', name, 'bin/node')
  if (!existsSync(node)) install(folder, [`${name}@${version}`])
  return node
}

/**
 * Runs the tests with better-sqlite3 13, which takes the place of 12 meanwhile: 13 does not run on Node 20, and 12 is compiled for that
 * and makes Node 24 crash when it collects a database.
 */
function withSqlite13 (node, run) {
  const newer = join(cache, 'better-sqlite3-13')
  if (!existsSync(join(newer, 'node_modules/.package-lock.json'))) install(newer, ['better-sqlite3@13'], environmentOf(node))
  renameSync(SQLITE, SQLITE_ASIDE)
  symlinkSync(join(newer, 'node_modules/better-sqlite3'), SQLITE)
  try {
    return run()
  } finally {
    putSqliteBack()
  }
}

function putSqliteBack () {
  rmSync(SQLITE, { force: true })
  renameSync(SQLITE_ASIDE, SQLITE)
}

/** Runs tap there. Coverage is the business of `npm test`: versions of V8 count branches differently. */
function run (node, name, folder = root, suites = []) {
  const tap = [join(modules, 'tap/dist/esm/run.mjs'), ...suites, '--disable-coverage', '--reporter=tap']
  const { status, stdout, stderr } = spawnSync(node, tap, { cwd: folder, env: environmentOf(node), encoding: 'utf8', maxBuffer: 2 ** 30 })
  const [, total = 0, passed = 0] = stdout.match(/^# \{ total: (\d+)(?:, pass: (\d+))?/m) ?? []
  if (status !== 0) console.log(stdout + stderr)
  console.log(`${name}: ${passed} passed, ${total - passed} failed${status === 0 ? '' : `, exit code ${status}`}`)
  return status === 0
}

/**
 * Runs the suites of the SDK in a copy of the sources that finds SDK 3 where the repository has its own, and all else there. It lies
 * outside node_modules, where Node strips no types.
 */
function runWithSdk3 (node, name) {
  const sdk = join(cache, 'sdk-3')
  if (!existsSync(join(sdk, 'node_modules/.package-lock.json'))) install(sdk, SDK_3, environmentOf(node))
  const { version } = JSON.parse(readFileSync(join(sdk, 'node_modules/@opentelemetry/sdk-metrics/package.json'), 'utf8'))
  const copy = mkdtempSync(join(tmpdir(), 'fastify-vitals-'))
  try {
    for (const part of ['lib', 'test', 'docs', 'package.json', 'tsconfig.json']) cpSync(join(root, part), join(copy, part), { recursive: true })
    mkdirSync(join(copy, 'node_modules'))
    for (const entry of readdirSync(modules)) {
      if (!entry.startsWith('.') && entry !== '@opentelemetry') symlinkSync(join(modules, entry), join(copy, 'node_modules', entry))
    }
    symlinkSync(join(sdk, 'node_modules/@opentelemetry'), join(copy, 'node_modules/@opentelemetry'))
    return run(node, `${name} with OpenTelemetry SDK ${version}`, copy, SUITES_OF_SDK.map(suite => `${suite}/*.test.ts`))
  } finally {
    rmSync(copy, { recursive: true })
  }
}

function test (version) {
  const node = nodeOf(version)
  const name = `Node ${spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()}`
  const isGood = Number(version) < NODE_OF_SQLITE_13 ? run(node, name) : withSqlite13(node, () => run(node, name))
  return (Number(version) < NODE_OF_SDK_3 || runWithSdk3(node, name)) && isGood
}

// What an interrupted run has left.
if (existsSync(SQLITE_ASIDE)) putSqliteBack()
const good = versions.filter(test)
process.exitCode = good.length === versions.length ? 0 : 1
