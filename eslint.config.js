import neostandard, { plugins, resolveIgnoresFromGitignore } from 'neostandard'

const common = { values: ['errors.ts', 'checks.ts'], types: ['options.ts'] }
const rooms = ['series/', 'record/', 'limiter/', 'clients/', 'domains/', 'runtime/', 'bridges/', 'export/', 'endpoint/']

/**
 * Who may import whom in lib: for each room (a folder) and each file beside them, the others it may use, those it may
 * only name in an `import type`, whether it may import Fastify's packages, and whether it does no I/O.
 * Itself it may always import. A folder or file without a line here may import nothing of ours.
 */
const doors = {
  'series/': { ...common, pure: true },
  'record/': { ...common, values: [...common.values, 'contexts.ts', 'series/'], fastify: true },
  'limiter/': { ...common, values: [...common.values, 'contexts.ts', 'series/'], fastify: true },
  'clients/': { ...common, values: [...common.values, 'series/'] },
  'domains/': { ...common, values: [...common.values, 'series/'] },
  'runtime/': { ...common, values: [...common.values, 'series/'] },
  'bridges/': { ...common, values: [...common.values, 'holding.ts', 'series/'] },
  'export/': { ...common, values: [...common.values, 'holding.ts', 'series/'] },
  'endpoint/': { values: [...common.values, 'contexts.ts', 'export/'], types: [...common.types, 'series/'], fastify: true },
  'errors.ts': {},
  'holding.ts': {},
  'checks.ts': { values: ['errors.ts'] },
  'contexts.ts': { fastify: true },
  'options.ts': { types: rooms, fastify: true },
  'resolve-options.ts': { values: [...common.values, 'resolve-otlp.ts', ...rooms], types: common.types },
  'resolve-otlp.ts': { values: [...common.values, 'export/'] },
  'start-line.ts': { values: ['export/'], types: common.types },
  'vitals.ts': { values: common.values, types: [...common.types, ...rooms] },
  'plugin.ts': { values: [...common.values, 'options.ts', 'resolve-options.ts', 'start-line.ts', 'vitals.ts', ...rooms], fastify: true, lazy: true },
  'index.ts': { values: [...common.values, 'options.ts', 'resolve-options.ts', 'vitals.ts', 'plugin.ts', ...rooms], fastify: true },
}

const extension = { regex: '^\\..*\\.js$', message: 'Imports of our own files end in .ts.' }
const fastifyPackages = {
  regex: '^(@fastify/|fastify(-plugin)?(/|$))',
  message: 'Only index, plugin, options, contexts, record, limiter and endpoint know Fastify.',
}
const inputOutput = {
  regex: '^(node:)?(child_process|cluster|dgram|dns|fs|http|https|http2|net|timers|tls|worker_threads)(/|$)',
  message: 'The store does no I/O and sets no timer.',
}
const timersAndFetch = ['fetch', 'setImmediate', 'setInterval', 'setTimeout']
const dynamicImport = {
  selector: 'ImportExpression > Literal.source[value=/^\\./]',
  message: 'Only plugin.ts imports our own files dynamically.',
}

/** Relative imports of these rooms and files, from a room at any depth or from beside the rooms. */
function importsOf (names, fromRoom) {
  const targets = names.map(name => name.endsWith('/') ? name : `${name.replace('.', '\\.')}$`)
  return `^${fromRoom ? '(\\./)?(\\.\\./)+' : '\\./'}(${targets.join('|')})`
}

const restricted = patterns => ({ 'no-restricted-imports': ['error', { patterns: [extension, ...patterns] }] })

function doorOf (name, { values = [], types = [], fastify = false, pure = false, lazy = false }) {
  const isRoom = name.endsWith('/')
  const closed = Object.keys(doors).filter(other => other !== name && !values.includes(other) && !types.includes(other))
  const patterns = [{ regex: importsOf(closed, isRoom), message: `${name} may import ${values.join(', ') || 'nothing of ours'}.` }]
  if (types.length > 0) {
    patterns.push({ regex: importsOf(types, isRoom), allowTypeImports: true, message: `${name} may import only types from there.` })
  }
  if (!fastify) patterns.push(fastifyPackages)
  if (pure) patterns.push(inputOutput)
  return {
    files: [isRoom ? `lib/${name}**/*.ts` : `lib/${name}`],
    rules: {
      ...restricted(patterns),
      'no-restricted-syntax': lazy ? 'off' : ['error', dynamicImport],
      'no-restricted-globals': pure
        ? ['error', ...timersAndFetch.map(name => ({ name, message: inputOutput.message }))]
        : 'off',
    },
  }
}

export default [
  { ignores: [...resolveIgnoresFromGitignore()] },
  ...neostandard({ ts: true }),
  {
    linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' },
    languageOptions: { ecmaVersion: 2023 },
    rules: { 'no-warning-comments': ['error', { terms: ['c8 ignore', 'istanbul ignore', 'v8 ignore'], location: 'anywhere' }] },
  },
  {
    files: ['**/*.ts'],
    plugins: { '@typescript-eslint': plugins['typescript-eslint'].plugin },
    rules: {
      '@typescript-eslint/ban-ts-comment': ['error', { 'ts-expect-error': 'allow-with-description' }],
      ...restricted([]),
    },
  },
  {
    files: ['lib/**/*.ts'],
    ignores: ['lib/index.ts'],
    rules: {
      'no-restricted-exports': ['error', {
        restrictDefaultExports: { direct: true, named: true, defaultFrom: true, namedFrom: true, namespaceFrom: true },
      }],
      ...restricted([fastifyPackages, { regex: '^\\.', message: 'Give this room or file its line in eslint.config.js.' }]),
    },
  },
  ...Object.entries(doors).map(([name, door]) => doorOf(name, door)),
]
