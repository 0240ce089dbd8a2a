import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setInterval } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { isTracingSuppressed } from '@opentelemetry/core'
import type { PushMetricExporter, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import t from 'tap'
import type { Test } from 'tap'
import { holding } from '../../lib/holding.ts'
import { PROTOCOLS } from '../../lib/export/otlp-options.ts'
import { OtlpProducer } from '../../lib/export/otlp-producer.ts'
import { WatchedExporter } from '../../lib/export/push-exporter.ts'
import { PushReader } from '../../lib/export/push-reader.ts'
import { createRegistry } from '../../lib/index.ts'
import { startFaulty } from '../support/faulty-receiver.ts'

const HOUR_MS = 3_600_000

type Done = Parameters<PushMetricExporter['export']>[1]

/** A store with one counter that is pushed, and each export as it begins; the test ends them. */
function open (t: Test, { intervalMs = HOUR_MS, timeoutMs = HOUR_MS } = {}) {
  const registry = createRegistry()
  const tasks = registry.counter({ name: 'tasks_total', help: 'Tasks.' })
  const begun = new EventEmitter<{ export: [number, Done] }>()
  const failures: string[] = []
  const exporter: PushMetricExporter = {
    export: (metrics, done) => { begun.emit('export', valueIn(metrics), done) },
    forceFlush: async () => await new Promise(() => {}),
    shutdown: async () => { throw new Error('told to nobody') }
  }
  const observer = { succeeded: () => {}, failed: (reason: string) => { failures.push(reason) } }
  const watched = new WatchedExporter(exporter, observer, { timeoutMs, cut: () => {}, pointsPerMessage: 512 })
  const provider = new MeterProvider({ readers: [new PushReader(new OtlpProducer(registry), watched, intervalMs)] })
  t.teardown(() => watched.close())
  const next = async (): Promise<[number, Done]> => await once(begun, 'export') as [number, Done]
  return { tasks, begun, failures, provider, next }
}

function valueIn ({ scopeMetrics }: ResourceMetrics): number {
  return scopeMetrics[0]!.metrics.find(({ descriptor }) => descriptor.name === 'tasks_total')!.dataPoints[0]!.value as number
}

t.test('a push that is waited for holds the process until it has ended', async t => {
  const { url } = await startFaulty(t, { kind: 'silence' })
  const argument = JSON.stringify(PROTOCOLS.map(protocol => ({ protocol, endpoint: url, intervalMs: 60_000, timeoutMs: 100 })))
  const child = spawn(process.execPath, [...process.execArgv, fileURLToPath(new URL('../support/waiting-services.ts', import.meta.url)), argument], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const said = text(child.stdout)
  t.equal((await once(child, 'exit'))[0], 0)
  t.same((await said).trim().split('\n'), PROTOCOLS.flatMap(protocol => [`${protocol} pushed`, `${protocol} closed`]))
})

t.test('all that ask for a push while one is under way get one that began after they asked', async t => {
  const { tasks, begun, provider, next } = open(t)
  let exports = 0
  begun.on('export', () => exports++)
  const flushed = async (): Promise<string> => await provider.forceFlush().then(() => 'flushed')
  const first = flushed()
  const [before, done] = await next()
  t.equal(before, 0)
  tasks.inc(2)
  const others = [flushed(), flushed()]
  const follower = next()
  done({ code: 0 })
  t.equal(await first, 'flushed')
  const [after, doneToo] = await follower
  t.equal(after, 2)
  doneToo({ code: 0 })
  t.same(await Promise.all(others), ['flushed', 'flushed'])
  t.equal(exports, 2, 'one for both')
})

t.test('pushes at an interval, one at a time, and no more once it is shut down', async t => {
  const { tasks, begun, provider, next } = open(t, { intervalMs: 1 })
  let exports = 0
  begun.on('export', () => exports++)
  const ticks = async (): Promise<void> => {
    const clock = setInterval(1)[Symbol.asyncIterator]()
    for (let i = 0; i < 5; i++) await clock.next()
    await clock.return!()
  }
  const first = next()
  await ticks()
  const [, done] = await first
  await ticks()
  t.equal(exports, 1)
  tasks.inc(3)
  const second = next()
  done({ code: 0 })
  await ticks()
  const [value, doneToo] = await second
  t.equal(value, 3)
  const closed = provider.shutdown()
  const last = next()
  doneToo({ code: 1 })
  const [, doneLast] = await last
  doneLast({ code: 0 })
  await closed
  await ticks()
  t.equal(exports, 3)
})

t.test('an exporter that never calls back, and never says that it is done, ends by the limit of the push', async t => {
  const { failures, provider, begun } = open(t, { timeoutMs: 1 })
  let exports = 0
  begun.on('export', () => exports++)
  await holding(provider.forceFlush())
  await holding(provider.forceFlush())
  t.equal(exports, 2)
  t.same(failures, ['timeout', 'timeout'])
})

t.test('what fails while it is read is not thrown at anybody', async t => {
  const producer = { collect: async () => { throw new Error('cannot be read') } }
  const exporter = { export: () => t.fail('there is nothing to push') }
  const provider = new MeterProvider({ readers: [new PushReader(producer, exporter, HOUR_MS)] })
  await provider.forceFlush()
  await provider.shutdown()
})

t.test('the requests of a push are not traced', async t => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager())
  t.teardown(() => context.disable())
  const { begun, provider } = open(t)
  let isSuppressed = false
  begun.on('export', (_value, done) => {
    isSuppressed = isTracingSuppressed(context.active())
    done({ code: 0 })
  })
  await provider.forceFlush()
  t.ok(isSuppressed)
})
