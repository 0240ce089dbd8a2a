import { context, trace } from '@opentelemetry/api'
import type { Context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { AlwaysOffSampler, AlwaysOnSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import fastify from 'fastify'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import vitals from '../../lib/index.ts'
import { findSample, parseExposition } from '../support/exposition-grammar.ts'
import { openStore } from '../support/store.ts'

/** OpenTelemetry's own, and how often it was asked. */
class CountingManager extends AsyncLocalStorageContextManager {
  asked = 0

  override active (): Context {
    this.asked++
    return super.active()
  }
}

const manager = new CountingManager()
context.setGlobalContextManager(manager.enable())
t.teardown(() => context.disable())
const kept = new TracerProvider({ sampler: new AlwaysOnSampler() }).getTracer('test')
const dropped = new TracerProvider({ sampler: new AlwaysOffSampler() }).getTracer('test')

function withSpan<T> (tracer: typeof kept, work: () => T): T {
  return context.with(trace.setSpan(context.active(), tracer.startSpan('work')), work)
}

/** How often it is asked during some work. */
function asksOf (work: () => void): number {
  const before = manager.asked
  work()
  return manager.asked - before
}

function repeat (times: number, work: () => void): void {
  for (let i = 0; i < times; i++) work()
}

/** Comes after every timer of this length that is set by now. */
const rested = async (): Promise<void> => { await setTimeout(100) }

t.test('asks in vain 256 times at most before it rests', async t => {
  const { vitals: store, scrape } = await openStore(t, { exemplars: true })
  const tasks = store.counter({ name: 'tasks_total', help: 'Tasks.' })
  const others = store.counter({ name: 'others_total', help: 'Others.' })
  const traced = async (name: string): Promise<boolean> => findSample(await scrape('openmetrics'), name)!.exemplar !== undefined
  t.equal(asksOf(() => repeat(256, () => tasks.inc())), 256, 'at first it does')
  t.equal(asksOf(() => repeat(6_400, () => tasks.inc())), 0)

  withSpan(kept, () => others.inc())
  t.ok(await traced('others_total'), 'what does not record often asks each time')
  withSpan(kept, () => tasks.inc())
  t.ok(await traced('tasks_total'), 'it asks anew after each scrape')
  tasks.reset()

  repeat(1_000, () => tasks.inc())
  await rested()
  withSpan(kept, () => t.equal(asksOf(() => repeat(128, () => tasks.inc())), 128, 'and after a rest; from the first span that it finds, each time'))
  t.equal(asksOf(() => repeat(100, () => tasks.inc())), 100)
  t.ok(await traced('tasks_total'))
})

t.test('nor where spans are active that are not sampled, until one is', async t => {
  const { vitals: store, scrape } = await openStore(t, { exemplars: true })
  const waits = store.histogram({ name: 'wait_seconds', help: 'Waits.' })
  withSpan(dropped, () => t.equal(asksOf(() => repeat(256 + 1_600, () => waits.observe(2))), 256))
  withSpan(kept, () => waits.observe(2))
  await rested()
  withSpan(kept, () => waits.observe(7))
  const text = await scrape('openmetrics')
  t.notOk(findSample(text, 'wait_seconds_bucket', { le: '2.5' })!.exemplar, 'nothing is kept of what comes while it rests')
  t.ok(findSample(text, 'wait_seconds_bucket', { le: '10.0' })!.exemplar)
})

t.test('a request keeps its trace, however much is recorded without one', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(vitals, { enabled: true, endpoint: false, exemplars: true })
  const tasks = app.vitals.counter({ name: 'tasks_total', help: 'Tasks.' })
  app.get('/', () => 'hello')
  const asks = async (requests: number): Promise<number> => {
    const before = manager.asked
    for (let i = 0; i < requests; i++) await app.inject('/')
    return manager.asked - before
  }
  repeat(10_000, () => tasks.inc())
  await withSpan(kept, async () => await app.inject('/'))
  const text = parseExposition(await app.vitals.render({ format: 'openmetrics' }), 'openmetrics')
  t.ok(findSample(text, 'http_requests_total', { method: 'GET', endpoint: '/', status: '200' })!.exemplar)
  t.equal(await asks(256), 256, 'one question for a request')
  const before = manager.asked
  await app.inject('/')
  t.equal(manager.asked, before)
})
