import { setImmediate } from 'node:timers/promises'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { AlwaysOnSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import t from 'tap'
import { Traces } from '../../lib/series/traces.ts'
import { CounterSeries } from '../../lib/series/counter.ts'
import { HistogramSeries } from '../../lib/series/histogram.ts'
import { findSample } from '../support/exposition-grammar.ts'
import { openStore } from '../support/store.ts'

/** Some work within a sampled span. */
function traced (work: () => void): void {
  const span = new TracerProvider({ sampler: new AlwaysOnSampler() }).getTracer('test').startSpan('work')
  context.with(trace.setSpan(context.active(), span), work)
}

// In this order: a process begins to trace once.

t.test('where nothing can be traced, recording is that of a store without exemplars', async t => {
  const { app, vitals, scrape } = await openStore(t, { exemplars: true })
  const counter = vitals.counter({ name: 'tasks_total', help: 'Tasks.' }).with({})
  const histogram = vitals.histogram({ name: 'wait_seconds', help: 'Wait.' }).with({})
  traced(() => {
    t.equal(counter.inc, CounterSeries.prototype.inc)
    t.equal(histogram.observe, HistogramSeries.prototype.observe)
  })
  await app.inject('/')
  t.equal(findSample(await scrape('openmetrics'), 'http_requests_total', { method: 'GET', endpoint: 'unmatched', status: '404' })!.exemplar, undefined)
})

t.test('a process that begins to trace late has its exemplars soon, in series that were there before too', async t => {
  const { vitals, scrape } = await openStore(t, { exemplars: true })
  const counter = vitals.counter({ name: 'tasks_total', help: 'Tasks.' }).with({})
  const histogram = vitals.histogram({ name: 'wait_seconds', help: 'Wait.', buckets: [1] }).with({})
  counter.inc(2)
  histogram.observe(0.5)
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  t.teardown(() => context.disable())
  while (counter.inc === CounterSeries.prototype.inc) await setImmediate()
  traced(() => {
    counter.inc()
    histogram.observe(0.25)
  })
  const text = await scrape('openmetrics')
  t.match(findSample(text, 'tasks_total'), { value: 3, exemplar: { value: 1 } })
  t.match(findSample(text, 'wait_seconds_bucket', { le: '1.0' }), { value: 2, exemplar: { value: 0.25 } })
})

t.test('from then on nobody looks', t => {
  const traces = new Traces({ read: () => undefined, canTrace: () => t.fail('it is known'), rest: () => {} })
  t.ok(traces.look())
  t.end()
})
