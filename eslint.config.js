import neostandard, { plugins, resolveIgnoresFromGitignore } from 'neostandard'

/**
 * Who may import whom in lib. A file of a room may import its own room, errors.ts and the types of options.ts. Beyond
 * that: `values` are the rooms it may use, `types` the rooms it may only name in an `import type`, `fastify` says
 * whether it may import Fastify's packages, `pure` that it does no I/O.
 * @type {Record<string, { values: string[], types: string[], fastify: boolean, pure?: boolean }>}
 */
const rooms = {
  series: { values: [], types: [], fastify: false, pure: true },
  record: { values: ['series'], types: [], fastify: true },
  limiter: { values: ['series'], types: [], fastify: true },
  clients: { values: ['series'], types: [], fastify: false },
  domains: { values: ['series'], types: [], fastify: false },
  runtime: { values: ['series'], types: [], fastify: false },
  bridges: { values: ['series'], types: [], fastify: false },
  export: { values: ['series'], types: [], fastify: false },
  endpoint: { values: ['export'], types: ['series'], fastify: true },
}

const style = {
  regex: '^\\..*\\.js$',
  message: 'Imports of our own files end in .ts.',
}
const composition = {
  regex: '^\\..*/(index|plugin)\\.ts$',
  message: 'Only index.ts and tests import the composition root.',
}
const fastify = {
  regex: '^(@fastify/|fastify(-plugin)?(/|$))',
  message: 'Only index, plugin, options, record, limiter and endpoint know Fastify.',
}
const optionTypes = {
  regex: '^\\..*/options\\.ts$',
  allowTypeImports: true,
  message: 'Only plugin.ts resolves options; elsewhere import their types.',
}

const inputOutput = {
  regex: '^(node:)?(child_process|cluster|dgram|dns|fs|http|https|http2|net|timers|tls|worker_threads)(/|$)',
  message: 'The store does no I/O and sets no timer.',
}
const timersAndFetch = ['fetch', 'setImmediate', 'setInterval', 'setTimeout']

const anyRoom = (names) => `^\\.\\.?/(\\.\\./)*(${names.join('|')})/`

function ruleOf (patterns) {
  return { 'no-restricted-imports': ['error', { patterns: [style, ...patterns] }] }
}

function roomRules (name, { values, types, fastify: knowsFastify, pure = false }) {
  const closed = Object.keys(rooms).filter(room => room !== name && !values.includes(room) && !types.includes(room))
  const patterns = [composition, optionTypes, {
    regex: anyRoom(closed),
    message: `${name}/ may import ${[...values, 'errors.ts'].join(', ')} and itself only.`,
  }]
  if (types.length > 0) {
    patterns.push({
      regex: anyRoom(types),
      allowTypeImports: true,
      message: `${name}/ may import only types from ${types.join(', ')}.`,
    })
  }
  if (!knowsFastify) patterns.push(fastify)
  if (pure) patterns.push(inputOutput)
  return {
    files: [`lib/${name}/**/*.ts`],
    rules: {
      ...ruleOf(patterns),
      'no-restricted-syntax': ['error', {
        selector: 'ImportExpression > Literal.source[value=/^\\./]',
        message: 'Only plugin.ts imports our own files dynamically.',
      }],
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
      ...ruleOf([]),
    },
  },
  {
    files: ['lib/**/*.ts'],
    ignores: ['lib/index.ts'],
    rules: {
      'no-restricted-exports': ['error', {
        restrictDefaultExports: { direct: true, named: true, defaultFrom: true, namedFrom: true, namespaceFrom: true },
      }],
      // A file outside the known rooms and roots may import nothing of ours: give a new room its line in `rooms`.
      ...ruleOf([fastify, { regex: '^\\.', message: 'This folder has no line in the rooms of eslint.config.js.' }]),
    },
  },
  {
    files: ['lib/errors.ts'],
    rules: ruleOf([fastify, { regex: '^\\.', message: 'errors.ts stands on nothing.' }]),
  },
  {
    files: ['lib/checks.ts'],
    rules: ruleOf([fastify, { regex: '^\\.(?!/errors\\.ts$)', message: 'checks.ts stands on errors.ts alone.' }]),
  },
  { files: ['lib/resolve-options.ts'], rules: ruleOf([composition, fastify]) },
  {
    files: ['lib/options.ts', 'lib/vitals.ts'],
    rules: ruleOf([composition, {
      regex: anyRoom(Object.keys(rooms)),
      allowTypeImports: true,
      message: 'options.ts and vitals.ts may name the types of a room, not run its code.',
    }]),
  },
  {
    files: ['lib/plugin.ts'],
    rules: ruleOf([{ regex: '(^|/)index\\.ts$', message: 'index.ts only exports; nothing imports it.' }]),
  },
  { files: ['lib/index.ts'], rules: ruleOf([]) },
  ...Object.entries(rooms).map(([name, room]) => roomRules(name, room)),
]
