import t from 'tap'
import fastify from 'fastify'
import vitals, { createRegistry } from '../../lib/index.ts'

const kSecret = 'c0rrect-horse-battery-staple'
const auth = { bearer: 'a-good-token' }

/** What the application hears when it registers the plugin with these options and this environment. */
async function refusal (options: unknown, environment: Record<string, string> = {}): Promise<Error & { code?: string } | undefined> {
  const app = fastify()
  const before = { ...process.env }
  Object.assign(process.env, environment)
  try {
    await app.register(vitals, options as Parameters<typeof vitals>[1])
    await app.ready()
  } catch (error) {
    return error as Error
  } finally {
    for (const name of Object.keys(environment)) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
    await app.close()
  }
}

/** The option as the message must name it, and values that it refuses. */
const kWrong: ReadonlyArray<readonly [option: string, values: readonly unknown[]]> = [
  ['enabled', ['yes', 1, null, {}]],
  ['endpoint', ['no', 0, null]],
  ['auth', [true, 5, 'secret', [], null, {}, { bearer: undefined }, { token: kSecret }]],
  ['auth.bearer', ['', [], [''], ['good', ''], 5, [5], {}, null, 'two words', 'new\nline', 'ümlaut']],
  ['auth.basic', ['user:password', 5, null, [], {}, { username: 'a' }, { password: kSecret }, { username: '', password: kSecret }, { username: 'a:b', password: kSecret }, { username: 5, password: kSecret }, { username: 'a', password: '' }, [{ username: 'a', password: kSecret }, 5]]],
  ['auth.allow', ['', [], 'localhost', '10.0.0.0/33', '10.0.0.0/', '10.0.0/8', '300.1.1.1', '::1/129', '10.0.0.0/-1', '10.0.0.0/8/8', ' 10.0.0.1', 5, [5], {}, null]],
  ['auth.custom', ['yes', {}, 5, null]],
  ['path', ['', 'metrics', 5, null, {}, '/with space', '/query?a=b', '/hash#a', '/new\nline']],
  ['listen', [9090, '9090', true, null, {}, []]],
  ['listen.port', [{ port: '9090' }, { port: -1 }, { port: 65_536 }, { port: 1.5 }, { port: NaN }, { port: null }]],
  ['listen.host', [{ port: 0, host: 5 }, { port: 0, host: '' }, { port: 0, host: null }]],
  ['rateLimit', [true, 60, '60', null, []]],
  ['rateLimit.max', [{ max: 0 }, { max: -1 }, { max: '60' }, { max: NaN }, { max: 1.5 }, { max: null }]],
  ['rateLimit.timeWindow', [{ timeWindow: 0 }, { timeWindow: -1 }, { timeWindow: '1 minute' }, { timeWindow: NaN }, { timeWindow: Infinity }]],
  ['constantLabels', ['region=eu', 5, null, ['a'], { 'bad-name': 'x' }, { __reserved: 'x' }, { '': 'x' }, { region: 5 }, { region: null }, { region: {} }, { method: 'x' }, { status: 'x' }, { metric: 'x' }, { le: 'x' }, { overflow: 'x' }]],
  ['labels', ['method', 5, null, [], { verb: 'x' }, { method: 'bad-name' }, { method: '' }, { method: '__m' }, { method: 5 }, { method: 'status' }, { method: 'same', endpoint: 'same' }, { endpoint: 'le' }, { status: 'overflow' }]],
  ['buckets', [[1, 2], 'fine', 5, null, { latency: [1] }]],
  ['buckets.duration', [[], [2, 1], [1, 1], ['1'], [NaN], [1, undefined], 5, null, 'abc', [Infinity]].map(duration => ({ duration }))],
  ['buckets.size', [[], [2, 1], [1, 1], [NaN], {}].map(size => ({ size }))],
  ['limits', [5, '5', null, [], { perMetric: 5 }]],
  ['limits.seriesPerMetric', [0, -1, 1.5, '5', NaN, null].map(seriesPerMetric => ({ seriesPerMetric }))],
  ['limits.series', [0, -1, 1.5, '5', NaN, null].map(series => ({ series }))],
  ['ignore', ['/health', /health/, 5, null, [5], [null], {}]],
  ['registry', [5, {}, null, 'shared']]
]

const kWrongEnvironment: ReadonlyArray<readonly [variable: string, values: readonly string[], options?: object]> = [
  ['METRICS_ENABLED', ['maybe', 'no way', '2']],
  ['METRICS_PATH', ['metrics', '/with space', '/query?a=b']],
  ['METRICS_AUTH_TOKEN', ['two words', 'new\nline'], {}],
  ['METRICS_LABEL_1ST', ['x']],
  ['METRICS_LABEL_BAD-NAME', ['x']],
  ['METRICS_LABEL___X', ['x']],
  ['METRICS_LABEL_METHOD', ['x']]
]

/** `auth.bearer` with a value → { auth: { bearer: value } }; a table entry may bring its own object. */
function toOptions (option: string, value: unknown): object {
  const [group, key] = option.split('.') as [string, string | undefined]
  if (key === undefined) return group === 'auth' ? { auth: value } : { auth, [group]: value }
  if (group === 'auth') return { auth: { [key]: value } }
  return { auth, [group]: value }
}

function describe (value: unknown): string {
  return value === undefined ? 'undefined' : JSON.stringify(value) ?? String(value)
}

t.test('every invalid option is an error with a stable code, the option, what it expects and what came', async t => {
  for (const [option, values] of kWrong) {
    for (const value of values) {
      const what = `${option}: ${value instanceof RegExp ? String(value) : Number.isNaN(value) ? 'NaN' : describe(value)}`
      const error = await refusal(toOptions(option, value))
      if (error === undefined) {
        t.fail(`${what} is accepted`)
        continue
      }
      t.match(error, { name: 'VitalsError', code: /^FSV_ERR_[A-Z_]+$/ }, what)
      t.ok(error.message.includes(option.split('.').at(-1)!), `${what} names the option: ${error.message}`)
      t.match(error.message, /must|expect|differ|cannot|set /i, `${what} says what is expected: ${error.message}`)
      t.notMatch(error.message, kSecret, `${what} keeps secrets`)
      t.ok(error.message.length < 1_000, `${what} is short`)
    }
  }
})

t.test('every invalid environment variable is an error that names it', async t => {
  for (const [variable, values, options = { auth }] of kWrongEnvironment) {
    for (const value of values) {
      const what = `${variable}=${JSON.stringify(value)}`
      const error = await refusal(options, { [variable]: value })
      if (error === undefined) {
        t.fail(`${what} is accepted`)
        continue
      }
      t.match(error, { name: 'VitalsError', code: /^FSV_ERR_[A-Z_]+$/ }, what)
      t.ok(error.message.includes(variable), `${what} is named: ${error.message}`)
    }
  }
})

t.test('an error shows the value that came, but for secrets', async t => {
  t.match(await refusal({ auth, path: 'metrics' }), { message: /"metrics"/ })
  t.match(await refusal({ auth, limits: { series: -1 } }), { message: /-1/ })
  t.match(await refusal({ auth, buckets: { duration: [2, 1] } }), { message: /2, ?1/ })
  t.match(await refusal({ auth: { allow: '10.0.0.0/33' } }), { message: /10\.0\.0\.0\/33/ })
  t.match(await refusal({ auth }, { METRICS_ENABLED: 'maybe' }), { message: /maybe/ })
  const secrets: ReadonlyArray<readonly [unknown, Record<string, string>?]> = [
    [{ auth: kSecret }],
    [{ auth: { bearer: `${kSecret} ${kSecret}` } }],
    [{ auth: { bearer: [kSecret, ''] } }],
    [{ auth: { bearer: { token: kSecret } } }],
    [{ auth: { basic: `admin:${kSecret}` } }],
    [{ auth: { basic: { username: 'a:b', password: kSecret } } }],
    [{ auth: { basic: { username: 'admin', password: [kSecret] } } }],
    [{ auth: { basic: { username: 'admin', pass: kSecret } } }],
    [{ auth: { password: kSecret } }],
    [{ auth: { bearer: kSecret, allow: 'nowhere' } }],
    [{ auth: { bearer: kSecret }, path: 'metrics' }],
    [{}, { METRICS_AUTH_TOKEN: `${kSecret} ${kSecret}` }],
    [{ path: 'metrics' }, { METRICS_AUTH_TOKEN: kSecret }]
  ]
  for (const [index, [options, environment]] of secrets.entries()) {
    const error = await refusal(options, environment)
    t.match(error, { name: 'VitalsError', code: /^FSV_ERR_/ }, `case ${index}`)
    t.notMatch(`${error?.message}\n${error?.stack}`, kSecret, `case ${index}`)
  }
})

t.test('a misspelt option is an error, not silence', async t => {
  for (const options of [{ auth, ratelimit: false }, { auth, pth: '/m' }, { auht: auth, auth }]) {
    const name = Object.keys(options).find(key => key !== 'auth')!
    t.match(await refusal(options), { name: 'VitalsError', code: /^FSV_ERR_/, message: new RegExp(name) }, name)
  }
})

t.test('options that contradict each other are an error', async t => {
  t.match(await refusal({ endpoint: false, listen: { port: 0 } }), { code: /^FSV_ERR_/, message: /endpoint.*listen|listen.*endpoint/ })
})

t.test('refuses to start while nobody has decided who may scrape', async t => {
  for (const options of [undefined, {}, { path: '/m' }]) {
    const error = await refusal(options)
    t.match(error, { name: 'VitalsError', code: 'FSV_ERR_AUTH_UNDECIDED', message: /auth.*METRICS_AUTH_TOKEN|METRICS_AUTH_TOKEN.*auth/s })
  }
  t.match(await refusal({}, { METRICS_AUTH_TOKEN: '' }), { code: /^FSV_ERR_/ }, 'an empty token is none')
})

t.test('takes everything that is valid', async t => {
  const valid: ReadonlyArray<readonly [object, Record<string, string>?]> = [
    [{ auth: false }],
    [{ auth: { bearer: ['one', 'two'] } }],
    [{ auth: { basic: [{ username: 'prometheus', password: 'pass word ü:' }] } }],
    [{ auth: { allow: ['10.0.0.0/8', '::1', 'fd00::/8', '127.0.0.1'] } }],
    [{ auth: { custom: () => true } }],
    [{ auth, path: '/metrics', rateLimit: { max: 5 } }],
    [{ auth, rateLimit: false, listen: { port: 0 } }],
    [{ auth, constantLabels: { region: 'eu', empty: '' }, labels: { endpoint: 'route', status: 'status_code' } }],
    [{ auth, buckets: { duration: [0.1, 1], size: [100] }, limits: { seriesPerMetric: 1, series: 1 } }],
    [{ auth, ignore: ['/health', /^\/internal/] }],
    [{ endpoint: false }],
    [{ enabled: false }],
    [{ auth, prefix: '/api', logLevel: 'warn' }],
    [{}, { METRICS_AUTH_TOKEN: 'token', METRICS_PATH: '/m', METRICS_ENABLED: 'true', METRICS_LABEL_MACHINE_ID: 'x"y' }],
    [{}, { METRICS_ENABLED: 'false' }]
  ]
  for (const [options, environment] of valid) t.equal(await refusal(options, environment), undefined, JSON.stringify(options))
})

t.test('a store of its own checks its options too', async t => {
  const create = createRegistry as (options: unknown) => unknown
  const wrong = [
    5, 'x', { limits: { seriesPerMetric: 0 } }, { limits: { series: -1 } }, { limits: { series: NaN } }, { limits: { series: '5' } }, { limits: 5 }, { constantLabels: { 'bad-name': 'x' } },
    { constantLabels: { region: 5 } }, { constantLabels: { le: 'x' } }, { constantLabels: { overflow: 'x' } }, { constantLabels: { metric: 'x' } }, { constantLabels: 'x' }, { limit: 5 }
  ]
  for (const options of wrong) t.throws(() => create(options), { name: 'VitalsError', code: /^FSV_ERR_/ }, describe(options))
})

t.test('an invalid configuration of a route is an error that names the route and the option', async t => {
  const wrong: ReadonlyArray<readonly [option: RegExp, value: unknown]> = [
    [/vitals/, 'off'], [/vitals/, 5], [/vitals/, []], [/endpont/, { endpont: '/x' }],
    [/endpoint/, { endpoint: '' }], [/endpoint/, { endpoint: 5 }], [/endpoint/, { endpoint: null }],
    [/buckets/, { buckets: [1] }], [/duration/, { buckets: { duration: [2, 1] } }], [/size/, { buckets: { size: [] } }], [/latency/, { buckets: { latency: [1] } }],
    [/labels/, { labels: 'x' }], [/bad-name/, { labels: { 'bad-name': 'x' } }], [/method/, { labels: { method: 'x' } }], [/le\b/, { labels: { le: 'x' } }],
    [/team/, { labels: { team: 5 } }], [/region/, { labels: { region: 'x' } }], [/overflow/, { labels: { overflow: 'x' } }]
  ]
  for (const [option, value] of wrong) {
    const app = fastify()
    t.teardown(() => app.close())
    await app.register(vitals, { auth, constantLabels: { region: 'eu' } })
    const register = async () => {
      app.get('/the/:route', { config: { vitals: value as false } }, async () => '')
      await app.ready()
    }
    await t.rejects(register(), { name: 'VitalsError', code: /^FSV_ERR_/, message: option }, describe(value))
  }
})

t.test('no log line has a secret in it, at any level', async t => {
  const lines: string[] = []
  const app = fastify({ logger: { level: 'trace', stream: { write: (line: string) => { lines.push(line) } } } })
  t.teardown(() => app.close())
  await app.register(vitals, { auth: { bearer: kSecret, basic: { username: 'prometheus', password: kSecret } } })
  await app.ready()
  const authorizations = [`Bearer ${kSecret}`, `Bearer ${kSecret}x`, `Basic ${Buffer.from(`prometheus:${kSecret}`).toString('base64')}`, `Basic ${Buffer.from(`a:${kSecret}`).toString('base64')}`, kSecret]
  for (const authorization of authorizations) await app.inject({ url: '/v1/metrics', headers: { authorization } })
  t.ok(lines.length > 0)
  for (const secret of [kSecret, ...authorizations.map(text => text.split(' ').at(-1)!)]) t.notOk(lines.some(line => line.includes(secret)))
})
