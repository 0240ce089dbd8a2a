import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { ESLint } from 'eslint'
import t from 'tap'
import ts from 'typescript'

const root = resolve(import.meta.dirname, '../..')
const lib = join(root, 'lib')
const importRules = ['no-restricted-imports', 'no-restricted-syntax', 'no-restricted-globals', 'no-restricted-exports']

const eslint = new ESLint({ cwd: root })

/** The import rules that a file of lib with this text would break. */
async function broken (filePath: string, text: string): Promise<(string | null)[]> {
  const [result] = await eslint.lintText(`${text}\n`, { filePath: join(lib, filePath) })
  return result!.messages.filter(({ ruleId, fatal }) => fatal || importRules.includes(ruleId!)).map(({ ruleId }) => ruleId)
}

t.test('refuses an import that leaves its room', async t => {
  const refused: [file: string, text: string][] = [
    ['series/counter.ts', "import { render } from '../export/exposition.ts'"],
    ['series/counter.ts', "import type { RouteRow } from '../record/route-row.ts'"],
    ['series/counter.ts', "import { resolveOptions } from '../resolve-options.ts'"],
    ['series/counter.ts', "import { DEFAULTS } from '../options.ts'"],
    ['series/counter.ts', "import type { FastifyInstance } from 'fastify'"],
    ['series/counter.ts', "import { readFile } from 'node:fs/promises'"],
    ['series/counter.ts', "export * from '../plugin.ts'"],
    ['series/deep/cell.ts', "export { render } from '../../export/exposition.ts'"],
    ['series/counter.ts', "import { render } from './../export/exposition.ts'"],
    ['record/recorder.ts', "import { pool } from '../clients/pg.ts'"],
    ['record/recorder.ts', "import { render } from '../export/exposition.ts'"],
    ['limiter/observe.ts', "import { record } from '../record/recorder.ts'"],
    ['clients/pg.ts', "import type { FastifyInstance } from 'fastify'"],
    ['domains/queue.ts', "import { gpu } from '../runtime/gpu.ts'"],
    ['runtime/gpu.ts', "import vitals from '../index.ts'"],
    ['bridges/prom-client.ts', "import { render } from '../export/exposition.ts'"],
    ['export/exposition.ts', "import { route } from '../endpoint/route.ts'"],
    ['export/exposition.ts', "import fp from 'fastify-plugin'"],
    ['export/otlp/push.ts', "import { record } from '../../record/recorder.ts'"],
    ['endpoint/route.ts', "import { Registry } from '../series/registry.ts'"],
    ['endpoint/route.ts', "import { record } from '../record/recorder.ts'"],
    ['errors.ts', "import { Registry } from './series/registry.ts'"],
    ['options.ts', "import { Registry } from './series/registry.ts'"],
    ['options.ts', "import { resolveOptions } from './resolve-options.ts'"],
    ['vitals.ts', "import { Exposition } from './export/exposition.ts'"],
    ['resolve-options.ts', "import type { FastifyRequest } from 'fastify'"],
    ['plugin.ts', "import vitals from './index.ts'"],
    ['new-file.ts', "import { VitalsError } from './errors.ts'"],
    ['somewhere-new/thing.ts', "import { VitalsError } from '../errors.ts'"],
    ['series/counter.ts', "import { VitalsError } from '../errors.js'"],
  ]
  for (const [file, text] of refused) {
    t.same(await broken(file, text), ['no-restricted-imports'], `${file}: ${text}`)
  }
})

t.test('allows the imports that the rooms are built on', async t => {
  const allowed: [file: string, text: string][] = [
    ['series/counter.ts', "import { VitalsError } from '../errors.ts'"],
    ['series/counter.ts', "import type { Limits } from '../options.ts'"],
    ['series/counter.ts', "import { Registry } from './registry.ts'"],
    ['series/deep/cell.ts', "import { Registry } from '../registry.ts'"],
    ['series/counter.ts', "import { limits } from './options.ts'"],
    ['record/recorder.ts', "import type { FastifyRequest } from 'fastify'"],
    ['record/recorder.ts', "import { Registry } from '../series/registry.ts'"],
    ['clients/pg.ts', "import { Registry } from '../series/registry.ts'"],
    ['export/exposition.ts', "import type { Snapshot } from '../series/snapshot.ts'"],
    ['endpoint/route.ts', "import { Exposition } from '../export/exposition.ts'"],
    ['endpoint/route.ts', "import type { Registry } from '../series/registry.ts'"],
    ['endpoint/route.ts', "import rateLimit from '@fastify/rate-limit'"],
    ['options.ts', "import type { Registry } from './series/registry.ts'"],
    ['vitals.ts', "import type { Exposition } from './export/exposition.ts'"],
    ['resolve-options.ts', "import { Registry } from './series/registry.ts'"],
    ['plugin.ts', "import { Registry } from './series/registry.ts'\nimport { resolveOptions } from './resolve-options.ts'"],
    ['index.ts', "export { default } from './plugin.ts'"],
  ]
  for (const [file, text] of allowed) t.same(await broken(file, text), [], `${file}: ${text}`)
})

t.test('refuses the ways round: dynamic imports, timers in the store, default exports', async t => {
  t.same(await broken('record/recorder.ts', "await import('../export/exposition.ts')"), ['no-restricted-syntax'])
  t.same(await broken('series/registry.ts', 'setInterval(String, 1)'), ['no-restricted-globals'])
  t.same(await broken('series/registry.ts', 'export default 1'), ['no-restricted-exports'])
  t.same(await broken('plugin.ts', "await import('./export/exposition.ts')"), [])
})

t.test('knows every folder of lib', async t => {
  for (const entry of readdirSync(lib, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    t.same(await broken(`${entry.name}/any.ts`, "import { VitalsError } from '../errors.ts'"), [], entry.name)
  }
})

t.test('no file of lib imports itself by a detour', async t => {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ESNext, verbatimModuleSyntax: true }
  const imports = new Map<string, string[]>()
  for (const name of readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))) {
    const file = join(lib, name)
    // What is left once the types are erased.
    const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), { compilerOptions })
    const { importedFiles } = ts.preProcessFile(outputText)
    imports.set(file, importedFiles.map(({ fileName }) => fileName).filter(specifier => specifier.startsWith('.'))
      .map(specifier => resolve(dirname(file), specifier)))
  }
  const finished = new Set<string>()
  const walk = (file: string, path: string[]): void => {
    const start = path.indexOf(file)
    if (start >= 0) t.fail([...path.slice(start), file].map(step => relative(lib, step)).join(' -> '))
    if (start >= 0 || finished.has(file)) return
    for (const next of imports.get(file) ?? []) walk(next, [...path, file])
    finished.add(file)
  }
  for (const file of imports.keys()) walk(file, [])
  t.equal(finished.size, imports.size)
})
