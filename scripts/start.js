// `npm start`: makes a fresh clone ready (dependencies, build), then runs the example in this very process.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const at = (...path) => join(root, ...path)
const node = process.execPath
const tsc = at('node_modules', 'typescript', 'bin', 'tsc')
// npm tells its scripts which npm runs them.
const npm = process.env.npm_execpath ? [node, process.env.npm_execpath] : ['npm']

let step
const interrupt = (signal) => {
  if (step === undefined) process.exit()
  step.interrupted = true
  step.kill(signal)
}
process.on('SIGINT', interrupt).on('SIGTERM', interrupt)

if (!hasDependencies()) {
  await run('Installing the dependencies', ...npm, 'ci', '--include=dev', '--no-audit', '--no-fund')
}
if (isOlder('dist/index.js', 'lib', 'tsconfig.json', 'tsconfig.build.json')) {
  await run('Building the plugin', node, tsc, '-p', 'tsconfig.build.json')
}
if (isOlder('example-app/dist/server.js', 'example-app', 'dist/index.d.ts', 'tsconfig.json')) {
  await run('Building the example', node, tsc, '-p', 'example-app')
}

const { serve } = await import('../example-app/dist/server.js')
process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
await serve()

/** Whether every direct dependency is there: a fresh clone has none, one that was pulled may lack a new one. */
function hasDependencies () {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(at('package.json'), 'utf8'))
  return Object.keys({ ...dependencies, ...devDependencies }).every((name) => existsSync(at('node_modules', name, 'package.json')))
}

function isOlder (output, ...sources) {
  return !existsSync(at(output)) || Math.max(...sources.map((source) => lastChange(at(source)))) > statSync(at(output)).mtimeMs
}

function lastChange (path) {
  const stats = statSync(path)
  if (!stats.isDirectory()) return stats.mtimeMs
  const entries = readdirSync(path).filter((name) => name !== 'dist')
  return Math.max(stats.mtimeMs, ...entries.map((name) => lastChange(join(path, name))))
}

async function run (title, command, ...args) {
  console.log(`${title} …`)
  step = spawn(command, args, { cwd: root, stdio: 'inherit' })
  const [code] = await once(step, 'close')
  if (step.interrupted) process.exit()
  if (code !== 0) {
    console.error(`${title}: it failed, see above.`)
    process.exit(1)
  }
  step = undefined
}
