import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import type { Test } from 'tap'
import { sampleValue, parseExposition } from '../support/exposition-grammar.ts'
import { startReceiver } from '../support/otlp-receiver.ts'

const root = resolve(import.meta.dirname, '../..')
const scope = { otel_scope_name: 'shop', otel_scope_version: '2.1' }

/** The files of the guide's example, as a reader copies them: blocks whose first line is a file's name. */
async function example (): Promise<Map<string, string>> {
  const guide = await readFile(join(root, 'docs/opentelemetry.md'), 'utf8')
  return new Map([...guide.matchAll(/^```js\n(\/\/ (\S+)\n[^]*?)^```/gm)].map(([, code, name]) => [name!, code!]))
}

/** A project with the example, the packages that it imports, and this one under its name. */
async function createProject (t: Test): Promise<string> {
  const project = await realpath(await mkdtemp(join(tmpdir(), 'fastify-vitals-')))
  t.teardown(() => rm(project, { recursive: true }))
  const modules = join(project, 'node_modules')
  await mkdir(join(modules, 'fastify-vitals'), { recursive: true })
  for (const name of ['@opentelemetry', 'fastify']) await symlink(join(root, 'node_modules', name), join(modules, name))
  const lib = JSON.stringify(pathToFileURL(join(root, 'lib/index.ts')))
  await writeFile(join(modules, 'fastify-vitals/index.js'), `export * from ${lib}\nexport { default } from ${lib}\n`)
  for (const folder of [project, join(modules, 'fastify-vitals')]) await writeFile(join(folder, 'package.json'), '{ "type": "module", "exports": "./index.js" }\n')
  for (const [name, code] of await example()) await writeFile(join(project, name), code)
  return project
}

t.test('the guide\'s example: a NodeSDK pushes the store and its meters, and both are at /v1/metrics', async t => {
  const receiver = await startReceiver(t)
  const project = await createProject(t)
  t.same([...(await example()).keys()], ['telemetry.js', 'server.js'])
  const child = spawn(process.execPath, [...process.execArgv, 'server.js'], {
    cwd: project,
    env: {
      ...process.env,
      PORT: '0',
      METRICS_AUTH_TOKEN: 'of-secrets',
      OTEL_SERVICE_NAME: 'orders',
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.httpUrl,
      OTEL_TRACES_EXPORTER: 'none',
      OTEL_LOGS_EXPORTER: 'none',
      OTEL_METRIC_EXPORT_INTERVAL: '3600000'
    },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => child.kill('SIGKILL'))
  const log: string[] = []
  const listening = new Promise<string>(resolve => {
    createInterface(child.stdout).on('line', line => {
      const { msg } = JSON.parse(line) as { msg: string }
      log.push(msg)
      if (msg.startsWith('Server listening at ')) resolve(msg.slice('Server listening at '.length))
    })
  })
  const url = await listening
  for (let i = 0; i < 3; i++) t.equal((await fetch(`${url}/orders`, { method: 'POST' })).status, 200)
  const text = await (await fetch(`${url}/v1/metrics`, { headers: { authorization: 'Bearer of-secrets' } })).text()
  const shown = parseExposition(text, 'prometheus')
  t.equal(sampleValue(shown, 'orders_placed_total', scope), 3)
  t.equal(sampleValue(shown, 'http_requests_total', { method: 'POST', endpoint: '/orders', status: '200' }), 3)
  t.match(log.find(message => message.startsWith('fastify-vitals: ')), /no push; .*OpenTelemetry meters joined/, 'the environment speaks to the SDK alone')

  child.kill('SIGTERM')
  const [code] = await once(child, 'close')
  t.equal(code, 0)
  t.match(receiver.messages, [{ resource: { 'service.name': 'orders' } }], 'one push, the last')
  const { metrics } = receiver.take()
  t.match(metrics.get('shop orders.placed')!.points, [{ value: 3 }])
  const durations = metrics.get('fastify-vitals http.server.request.duration')!.points
  t.match(durations.find(({ attributes }) => attributes['http.route'] === '/orders'), { count: 3, attributes: { 'http.request.method': 'POST', 'http.response.status_code': 200 } })
  t.equal(new Set(durations.map(({ attributes }) => JSON.stringify(attributes))).size, durations.length, 'each once')
})
