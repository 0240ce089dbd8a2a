import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { AlwaysOffSampler, AlwaysOnSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import fastify from 'fastify'
import t from 'tap'
import vitals, { createRegistry } from '../../lib/index.ts'
import { withNext } from '../../lib/series/exemplars.ts'
import type { Exemplar } from '../../lib/series/snapshot.ts'
import { findSample, parseExposition } from '../support/exposition-grammar.ts'
import { openStore } from '../support/store.ts'

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
t.teardown(() => context.disable())
const kept = new TracerProvider({ sampler: new AlwaysOnSampler() }).getTracer('test')
const dropped = new TracerProvider({ sampler: new AlwaysOffSampler() }).getTracer('test')

t.test('counters and buckets carry the trace of the active span, if it is sampled', async t => {
  const { vitals: store, scrape } = await openStore(t, { exemplars: true })
  const tasks = store.counter({ name: 'tasks_total', help: 'Tasks.' })
  const wait = store.histogram({ name: 'wait_seconds', help: 'Waited.', unit: 'seconds', buckets: [1, 10] })
  const span = kept.startSpan('work')
  context.with(trace.setSpan(context.active(), span), () => {
    tasks.inc(2)
    wait.observe(5)
    wait.observe(50)
  })
  context.with(trace.setSpan(context.active(), dropped.startSpan('work')), () => wait.observe(0.5))
  tasks.inc()
  const text = await scrape('openmetrics')
  const { traceId, spanId } = span.spanContext()
  const labels = { trace_id: traceId, span_id: spanId }
  t.match(findSample(text, 'tasks_total')!.exemplar, { labels, value: 2, timestamp: Number })
  t.equal(findSample(text, 'wait_seconds_bucket', { le: '1.0' })!.exemplar, undefined)
  t.match(findSample(text, 'wait_seconds_bucket', { le: '10.0' })!.exemplar, { labels, value: 5 })
  t.match(findSample(text, 'wait_seconds_bucket', { le: '+Inf' })!.exemplar, { labels, value: 50 })
  t.equal(findSample(await scrape('prometheus'), 'tasks_total')!.exemplar, undefined, 'the older format has none')
  wait.reset()
  tasks.remove({})
  const after = await scrape('openmetrics')
  t.equal(findSample(after, 'wait_seconds_bucket', { le: '10.0' })!.exemplar, undefined, 'gone with the value')
  t.equal(findSample(after, 'tasks_total'), undefined)
})

t.test('what is refused, and a series that was removed, have none', async t => {
  const { vitals: store, scrape } = await openStore(t, { exemplars: true })
  const tasks = store.counter({ name: 'tasks_total', help: 'Tasks.' })
  const wait = store.histogram({ name: 'wait_seconds', help: 'Waited.', unit: 'seconds', labels: ['queue'], buckets: [1] })
  const removed = wait.with({ queue: 'mail' })
  wait.remove({ queue: 'mail' })
  context.with(trace.setSpan(context.active(), kept.startSpan('work')), () => {
    tasks.inc(2)
    tasks.inc(-1)
    tasks.inc(NaN)
    removed.observe(0.5)
    removed.observe(NaN)
  })
  t.equal(findSample(await scrape('openmetrics'), 'tasks_total')!.exemplar!.value, 2)
  const { families } = await store.registry.collect()
  t.same(families.find(({ name }) => name === 'wait_seconds')!.banks.map(({ exemplars }) => [...exemplars!].map(([row, slots]) => [row, slots.map(slot => slot?.map(({ value }) => value))])), [[[0, [[0.5]]]]])
})

t.test('nothing is kept where exemplars are off', async t => {
  const { vitals: store, scrape } = await openStore(t)
  const tasks = store.counter({ name: 'tasks_total', help: 'Tasks.' })
  context.with(trace.setSpan(context.active(), kept.startSpan('work')), () => tasks.inc())
  t.equal(findSample(await scrape('openmetrics'), 'tasks_total')!.exemplar, undefined)
})

t.test('a shared registry keeps them where it was made to', async t => {
  for (const exemplars of [true, false]) {
    const app = fastify()
    t.teardown(() => app.close())
    await app.register(vitals, { registry: createRegistry({ exemplars }), endpoint: false })
    const tasks = app.vitals.counter({ name: 'tasks_total', help: 'Tasks.' })
    app.get('/', () => {
      tasks.inc()
      return 'done'
    })
    await context.with(trace.setSpan(context.active(), kept.startSpan('request')), async () => await app.inject('/'))
    const text = parseExposition(await app.vitals.render({ format: 'openmetrics' }), 'openmetrics')
    t.equal(findSample(text, 'tasks_total')!.exemplar !== undefined, exemplars, `exemplars: ${exemplars}`)
    t.equal(text.get('http_request_duration_seconds')!.samples.some(({ exemplar }) => exemplar !== undefined), exemplars, `a request's, exemplars: ${exemplars}`)
  }
})

t.test('a request carries the trace that was active when it arrived, whatever is active at its end', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  const spans: string[] = []
  app.server.on('request', () => {})
  await app.register(vitals, { enabled: true, endpoint: false, exemplars: true })
  // As an instrumentation of node:http does: the whole request runs within its span.
  const emit = app.server.emit.bind(app.server)
  app.server.emit = ((event: string, ...args: unknown[]) => {
    if (event !== 'request') return (emit as (...args: unknown[]) => boolean)(event, ...args)
    const span = kept.startSpan('request')
    spans.push(span.spanContext().traceId)
    return context.with(trace.setSpan(context.active(), span), () => (emit as (...args: unknown[]) => boolean)(event, ...args))
  }) as typeof app.server.emit
  app.get('/', () => 'hello')
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  await (await fetch(url)).text()
  const text = parseExposition(await app.vitals.render({ format: 'openmetrics' }), 'openmetrics')
  const traced = text.get('http_request_duration_seconds')!.samples.filter(({ exemplar }) => exemplar !== undefined)
  t.same(traced.map(({ exemplar }) => exemplar!.labels['trace_id']), spans)
  t.equal(spans.length, 1)
})

/** Runs something within a span of its own; gives its trace. */
function traced (record: () => unknown): string {
  const span = kept.startSpan('work')
  context.with(trace.setSpan(context.active(), span), record)
  return span.spanContext().traceId
}

t.test('of each bucket the last is shown, and under OpenTelemetry\'s names the largest', async t => {
  const [plain, semconv] = [await openStore(t, { exemplars: true, meters: false }), await openStore(t, { exemplars: true, naming: 'semconv', meters: false })]
  const histograms = [plain, semconv].map(({ vitals: store }) => store.histogram({ name: 'wait_seconds', help: 'Waited.', buckets: [1, 10] }))
  const counters = [plain, semconv].map(({ vitals: store }) => store.counter({ name: 'sent_bytes_total', help: 'Sent.' }))
  const observe = (value: number): string => traced(() => histograms.forEach(histogram => histogram.observe(value)))
  const send = (bytes: number): string => traced(() => counters.forEach(counter => counter.inc(bytes)))
  const shown = async ({ scrape }: typeof plain): Promise<(string | undefined)[]> => {
    const samples = [...(await scrape('openmetrics')).values()].flatMap(({ samples }) => samples)
    return samples.filter(({ name }) => /^(?:wait_seconds_bucket|sent_bytes_total)$/.test(name)).map(({ exemplar }) => exemplar?.labels['trace_id'])
  }
  const [large, small, sameAsSmall] = [observe(3), observe(2), observe(2)]
  t.notSame(small, sameAsSmall)
  t.same(await shown(plain), [undefined, sameAsSmall, undefined, undefined])
  t.same(await shown(semconv), [undefined, large, large, undefined])
  const [lowest, equal] = [observe(0.5), observe(3)]
  const [much, little] = [send(500), send(5)]
  t.same(await shown(plain), [lowest, equal, undefined, little])
  t.same(await shown(semconv), [lowest, equal, equal, much], 'of two that are as large, the last')
})

t.test('the largest of a bucket stays for a minute', async t => {
  const at = (value: number, timestampMs: number): Exemplar => ({ value, timestampMs, labels: {} })
  const [large, small, smaller, late, equal] = [at(9, 0), at(3, 100), at(2, 59_999), at(1, 60_000), at(9, 59_999)]
  let kept = withNext(undefined, large)
  t.same(kept, [large])
  for (const next of [small, smaller]) t.same(kept = withNext(kept, next), [next, large])
  t.same(withNext(kept, late), [late], 'then any other takes its place')
  t.same(withNext(kept, equal), [equal])
})

t.test('metrics that are one under OpenTelemetry\'s names show for each bucket the largest of either, or that of the next bucket below that has one', async t => {
  const { vitals: store, scrape } = await openStore(t, { exemplars: true, naming: 'semconv', meters: false })
  const waits = [1, 2].map(i => store.histogram({ name: `wait_${i}_seconds`, help: 'Waited.', buckets: [1, 10, 100], otlp: { name: 'wait', unit: 's' } }))
  const shown = async (): Promise<(string | undefined)[]> => {
    const text = await scrape('openmetrics')
    return ['1.0', '10.0', '100.0', '+Inf'].map(le => findSample(text, 'wait_seconds_bucket', { le, otel_scope_name: 'fastify-vitals', otel_scope_version: '0.1.0' })!.exemplar?.labels['trace_id'])
  }
  const first = traced(() => waits[0]!.observe(0.5))
  t.same(await shown(), [first, first, first, first])
  const second = traced(() => waits[1]!.observe(50))
  t.same(await shown(), [first, first, second, second])
  const third = traced(() => waits[0]!.observe(500))
  t.same(await shown(), [first, first, second, third])
  traced(() => waits[1]!.observe(0.3))
  t.same(await shown(), [first, first, second, third])
  const fourth = traced(() => waits[1]!.observe(0.7))
  t.same(await shown(), [fourth, fourth, second, third])
})

t.test('a failed request takes its trace to its error type, the others keep theirs or have none', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(vitals, { enabled: true, endpoint: false, exemplars: true, naming: 'semconv', meters: false })
  for (const path of ['/fails', '/fails-too']) app.get(path, () => { throw new Error('no') })
  for (const path of ['/works', '/works-too']) app.get(path, () => 'fine')
  const ask = async (url: string): Promise<string> => {
    let answer: Promise<unknown> | undefined
    const traceId = traced(() => { answer = app.inject(url).then(response => response) })
    await answer
    return traceId
  }
  const [failed, worked] = [await ask('/fails'), await ask('/works')]
  await app.inject('/fails-too')
  await app.inject('/works-too')
  const text = parseExposition(await app.vitals.render({ format: 'openmetrics' }), 'openmetrics')
  const { samples } = text.get('http_server_request_duration_seconds')!
  const traces = new Map(['/fails', '/fails-too', '/works', '/works-too'].map(route => {
    const found = samples.filter(({ labels, exemplar }) => labels['http_route'] === route && exemplar !== undefined)
    const own = found.filter(({ exemplar }, i) => i === 0 || exemplar!.labels['trace_id'] !== found[i - 1]!.exemplar!.labels['trace_id'])
    return [route, own.map(({ labels, exemplar }) => [labels['error_type'], exemplar!.labels['trace_id']])]
  }))
  t.same([...traces], [['/fails', [['handler_error', failed]]], ['/fails-too', []], ['/works', [[undefined, worked]]], ['/works-too', []]])
})
