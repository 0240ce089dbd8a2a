import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { metrics } from '@opentelemetry/api'
import t from 'tap'
import { LateMeterProvider } from '../../lib/bridges/late-meter-provider.ts'
import { sampleValue } from '../support/exposition-grammar.ts'
import { openStore } from '../support/store.ts'

const script = fileURLToPath(new URL('../support/loaded-packages.ts', import.meta.url))

/** The packages of OpenTelemetry that a service has loaded: after its start and a request, and after it asked for a meter. */
async function loaded (options: object): Promise<{ started: string[], metered: string[] }> {
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, script, JSON.stringify(options)])
  return JSON.parse(stdout) as { started: string[], metered: string[] }
}

const SDK = ['@opentelemetry/core', '@opentelemetry/resources', '@opentelemetry/sdk-metrics']

t.test('the SDK is loaded with the first meter, or by what needs it', async t => {
  const plain = await loaded({ auth: false })
  t.same(plain.started, ['@opentelemetry/api'], 'neither import nor a request loads it')
  for (const name of SDK) t.ok(plain.metered.includes(name), `a meter loads ${name}`)
  const pushing = await loaded({ endpoint: false, otlp: { endpoint: 'http://127.0.0.1:1', closeTimeoutMs: 1 } })
  t.ok(pushing.started.includes('@opentelemetry/sdk-metrics') && pushing.started.includes('@opentelemetry/exporter-metrics-otlp-proto'))
})

t.test('meters that cannot be made record nothing, and that is said once', async t => {
  const failures: unknown[] = []
  const provider = new LateMeterProvider(() => { throw new Error('no SDK') }, error => failures.push(error))
  for (let i = 0; i < 2; i++) provider.getMeter('shop').createCounter('orders').add(1)
  t.match(failures, [{ message: 'no SDK' }])
  t.equal(failures.length, 1)
})

t.test('meters first asked for after the application has closed record nothing', async t => {
  const { app, scrape } = await openStore(t)
  const kept = metrics.getMeterProvider()
  await app.close()
  kept.getMeter('shop').createCounter('orders').add(1)
  t.equal(sampleValue(await scrape(), 'orders_total', { otel_scope_name: 'shop' }), undefined)
})
