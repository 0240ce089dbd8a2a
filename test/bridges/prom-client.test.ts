import * as platformatic from '@platformatic/prom-client'
import * as successor from '@prometheus-io/client'
import * as promClient from 'prom-client'
import t from 'tap'
import vitals from '../../lib/index.ts'
import type { PromRegistry } from '../../lib/index.ts'
import fastify from 'fastify'
import type { ParsedExposition } from '../support/exposition-grammar.ts'
import { findSample, parseExposition, sampleValue } from '../support/exposition-grammar.ts'
import { startPushgateway } from '../support/pushgateway.ts'
import { openStore } from '../support/store.ts'

const CLIENTS = { 'prom-client': promClient, '@prometheus-io/client': successor, '@platformatic/prom-client': platformatic } as unknown as Record<string, typeof promClient>

for (const [name, client] of Object.entries(CLIENTS)) {
  t.test(`shows a registry of ${name} beside the store`, async t => {
    const registry = new client.Registry()
    registry.setDefaultLabels({ team: 'blue', region: 'south', zone: 'a' })
    const registers = [registry]
    const counter = new client.Counter({ name: 'logins_total', help: 'Logins.', labelNames: ['way'], registers })
    const gauge = new client.Gauge({ name: 'depth', help: 'Depth.', registers, collect () { this.set(7) } })
    const histogram = new client.Histogram({ name: 'sizes', help: 'Sizes.', labelNames: ['kind'], buckets: [1, 10], registers })
    const summary = new client.Summary({ name: 'ages', help: 'Ages.', percentiles: [0.5, 0.9], registers })
    const { scrape, vitals: store } = await openStore(t, { registries: [registry as unknown as PromRegistry], constantLabels: { region: 'north', zone: 'a' } })
    counter.inc({ way: 'a|b"\n' }, 2)
    histogram.observe({ kind: 'x' }, 0.5)
    histogram.observe({ kind: 'x' }, 5)
    histogram.observe({ kind: 'x' }, 50)
    summary.observe(3)
    gauge.set(1)
    store.counter({ name: 'own_total', help: 'Own.' }).inc()
    const labels = { region: 'north', zone: 'a', team: 'blue', exported_region: 'south' }
    for (const format of ['prometheus', 'openmetrics'] as const) {
      const text = await scrape(format)
      t.equal(sampleValue(text, 'logins_total', { ...labels, way: 'a|b"\n' }), 2)
      t.equal(sampleValue(text, 'depth', labels), 7, 'its collector ran')
      t.equal(sampleValue(text, 'own_total', { region: 'north', zone: 'a' }), 1)
      const bounds = format === 'prometheus' ? ['1', '10', '+Inf'] : ['1.0', '10.0', '+Inf']
      t.same(bounds.map(le => sampleValue(text, 'sizes_bucket', { ...labels, kind: 'x', le })), [1, 2, 3])
      t.equal(sampleValue(text, 'sizes_sum', { ...labels, kind: 'x' }), 55.5)
      t.equal(sampleValue(text, 'ages', { ...labels, quantile: '0.5' }), 3)
      t.equal(sampleValue(text, 'ages_count', labels), 1)
    }
  })
}

t.test('a counter of a registry in OpenMetrics mode keeps its name, and its exemplars', async t => {
  const registry = new promClient.Registry()
  registry.setContentType(promClient.Registry.OPENMETRICS_CONTENT_TYPE as never)
  const counter = new promClient.Counter({ name: 'logins_total', help: 'Logins.', registers: [registry], enableExemplars: true })
  const histogram = new promClient.Histogram({ name: 'sizes', help: 'Sizes.', buckets: [1], registers: [registry], enableExemplars: true })
  const { scrape } = await openStore(t, { registries: [registry as unknown as PromRegistry] })
  counter.inc({ value: 2, exemplarLabels: { trace_id: 'abc' } } as never)
  histogram.observe({ value: 0.5, exemplarLabels: { trace_id: 'def' } } as never)
  await registry.metrics()
  const text = await scrape('openmetrics')
  t.match(findSample(text, 'logins_total'), { value: 2, exemplar: { labels: { trace_id: 'abc' }, value: 2 } })
  t.match(findSample(text, 'sizes_bucket', { le: '1.0' }), { exemplar: { labels: { trace_id: 'def' }, value: 0.5 } })
})

t.test('an exemplar with more labels than OpenMetrics allows has its trace alone, or is left out', async t => {
  const ids = { trace_id: '4bf92f3577b34da6a3ce929d0e0e4736', span_id: '00f067aa0ba902b7' }
  const registry: PromRegistry = {
    contentType: 'text/plain',
    getMetricsAsArray: () => [{ name: 'odd_total', type: 'counter' }, { name: 'untyped' }],
    getMetricsAsJSON: async () => [
      { name: 'odd_total', help: 'Odd.', type: 0, values: [{ value: 1, exemplar: { labelSet: { text: 'x'.repeat(200) }, value: 1, timestamp: 1 } }] },
      { name: 'traced_total', help: 'Traced.', type: 'counter', values: [{ value: 1, exemplar: { labelSet: { text: 'x'.repeat(62), ...ids }, value: 1, timestamp: 1 } }] },
      { name: 'fits_total', help: 'Fits.', type: 'counter', values: [{ value: 1, exemplar: { labelSet: { text: 'x'.repeat(61), ...ids }, value: 1, timestamp: 1 } }] },
      { name: 'untyped', help: 'Of no type.', type: 'stateset', values: [] }
    ]
  }
  const { scrape } = await openStore(t, { registries: [registry] })
  const text = await scrape('openmetrics')
  t.equal(findSample(text, 'odd_total')!.exemplar, undefined)
  t.same({ ...findSample(text, 'traced_total')!.exemplar!.labels }, ids)
  t.same({ ...findSample(text, 'fits_total')!.exemplar!.labels }, { text: 'x'.repeat(61), ...ids })
  t.notOk(text.has('untyped'), 'nor a type that is not known')
})

t.test('a name that two registries or the store have is an error that names both', async t => {
  const one = new promClient.Registry()
  const two = new promClient.Registry()
  for (const register of [one, two]) new promClient.Counter({ name: 'logins_total', help: 'Logins.', registers: [register] }).inc()
  const app = fastify()
  t.teardown(() => app.close())
  await t.rejects(async () => { await app.register(vitals, { enabled: true, endpoint: false, registries: [one, two] as unknown as PromRegistry[] }) }, {
    code: 'FSV_ERR_METRIC_CONFLICT', message: /prom-client registry 2 of option registries cannot be joined: prom-client registry 1 of option registries takes the name logins_total/
  })
  const store = await openStore(t, { registries: [one as unknown as PromRegistry] })
  t.throws(() => store.vitals.counter({ name: 'logins_total', help: 'Ours.' }), { code: 'FSV_ERR_METRIC_CONFLICT', message: /prom-client registry 1 of option registries takes the name logins_total already/ })
  const taken = new promClient.Registry()
  new promClient.Gauge({ name: 'http_requests_total', help: 'Taken.', registers: [taken] }).set(1)
  const late = await openStore(t, { registries: [taken] as unknown as PromRegistry[] }).catch((error: Error) => error)
  t.match(late, { code: 'FSV_ERR_METRIC_CONFLICT' })
})

t.test('a metric that comes to its registry later under a taken name is left out and reported once', async t => {
  const registry = new promClient.Registry()
  const store = await openStore(t, { registries: [registry as unknown as PromRegistry] })
  new promClient.Counter({ name: 'http_requests_total', help: 'Later.', registers: [registry] }).inc(5)
  await store.scrape()
  const text = await store.scrape()
  t.equal(text.get('http_requests_total'), undefined)
  t.equal(store.warnings.filter(warning => warning.includes('counter http_requests_total of another registry is not shown')).length, 1)
})

t.test('a registry that fails or never ends shows what was read last', async t => {
  const registry = new promClient.Registry()
  let behaviour: () => unknown = () => {}
  const depth = new promClient.Gauge({ name: 'depth', help: 'Depth.', registers: [registry], collect () { this.set(3); return behaviour() as Promise<void> } })
  depth.set(1)
  const store = await openStore(t, { registries: [registry as unknown as PromRegistry] })
  t.equal(sampleValue(await store.scrape(), 'depth'), 3)
  behaviour = () => { throw new Error('no depth today') }
  t.equal(sampleValue(await store.scrape(), 'depth'), 3)
  t.equal(sampleValue(await store.scrape(), 'depth'), 3)
  t.match(store.warnings, [/registry 1 of option registries could not be read: Error: no depth today/])
  behaviour = () => {}
  await store.scrape()
  behaviour = () => new Promise(() => {})
  t.equal(sampleValue(await store.scrape(), 'depth'), 3)
  t.match(store.warnings.slice(1), [/took longer than 1000 ms/])
})

t.test('refuses what is no registry', async t => {
  for (const registries of [promClient.register, [{}], [null]]) {
    const app = fastify()
    t.teardown(() => app.close())
    await t.rejects(async () => { await app.register(vitals, { endpoint: false, registries: registries as never }) }, { code: 'FSV_ERR_INVALID_OPTION', message: /registries must be an array of prom-client registries/ })
  }
})

t.test('the store as a prom-client registry', async t => {
  const { vitals: store } = await openStore(t, { constantLabels: { region: 'north' } })
  store.counter({ name: 'tasks_total', help: 'Tasks.', labels: ['kind'] }).inc({ kind: 'a' }, 2)
  store.histogram({ name: 'wait_seconds', help: 'Waited.', unit: 'seconds', buckets: [1] }).observe(0.5)
  store.info({ name: 'service_info', help: 'Service.', labels: ['version'] }).set({ version: '1' })
  const view = store.promRegistry
  const json = await view.getMetricsAsJSON()
  t.same(json.find(({ name }) => name === 'tasks_total'), { name: 'tasks_total', help: 'Tasks.', type: 'counter', aggregator: 'sum', values: [{ value: 2, labels: { region: 'north', kind: 'a' } }] })
  t.same(json.find(({ name }) => name === 'wait_seconds')!.values, [
    { metricName: 'wait_seconds_bucket', labels: { region: 'north', le: 1 }, value: 1 },
    { metricName: 'wait_seconds_bucket', labels: { region: 'north', le: '+Inf' }, value: 1 },
    { metricName: 'wait_seconds_sum', labels: { region: 'north' }, value: 0.5 },
    { metricName: 'wait_seconds_count', labels: { region: 'north' }, value: 1 }
  ])
  const merged = promClient.Registry.merge([view as never])
  t.match(await merged.metrics(), /tasks_total\{region="north",kind="a"\} 2/)
  t.equal((await view.getSingleMetric('tasks_total')!.get()).values[0]!.value, 2)
  t.equal(view.getSingleMetric('absent'), undefined)
  t.equal(await view.metrics(), await store.render())
  view.setContentType('application/openmetrics-text; version=1.0.0; charset=utf-8')
  t.match(await view.metrics(), /# EOF\n$/)
  t.throws(() => view.setContentType('text/html'), { code: 'FSV_ERR_INVALID_OPTION' })
  t.throws(() => view.registerMetric(), { code: 'FSV_ERR_INVALID_METRIC' })
})

t.test('a summary without labels is written anew when it changes', async t => {
  const registry = new promClient.Registry()
  const ages = new promClient.Summary({ name: 'ages', help: 'Ages.', percentiles: [0.5], registers: [registry] })
  const odd = new promClient.Gauge({ name: 'odd', help: 'Odd.', labelNames: ['kind'], registers: [registry] })
  odd.set({ kind: undefined as never }, 1)
  const { scrape } = await openStore(t, { registries: [registry as unknown as PromRegistry] })
  for (const count of [1, 2]) {
    ages.observe(3)
    const text = await scrape()
    t.equal(sampleValue(text, 'ages_count'), count)
    t.equal(sampleValue(text, 'ages', { quantile: '0.5' }), 3)
    t.equal(sampleValue(text, 'odd', { kind: '' }), 1)
  }
})

t.test('summaries of a joined registry are in the view too', async t => {
  const registry = new promClient.Registry()
  new promClient.Summary({ name: 'ages', help: 'Ages.', percentiles: [0.5], registers: [registry] }).observe(3)
  const { vitals: store } = await openStore(t, { registries: [registry as unknown as PromRegistry] })
  const json = await store.promRegistry.getMetricsAsJSON()
  t.same(json.find(({ name }) => name === 'ages')!.values.map(({ metricName, value }) => [metricName, value]), [['ages', 3], ['ages_sum', 3], ['ages_count', 1]])
})

for (const [name, client] of Object.entries(CLIENTS)) {
  t.test(`a Pushgateway takes the view from ${name}`, async t => {
    const url = await startPushgateway(t)
    const { app, vitals: store } = await openStore(t, { constantLabels: { region: 'north' } })
    await app.inject('/nowhere')
    const tasks = store.counter({ name: 'tasks_total', help: 'Tasks.', labels: ['kind'] })
    const wait = store.histogram({ name: 'wait_seconds', help: 'Waited.', unit: 'seconds', buckets: [1] })
    const shown = async (): Promise<ParsedExposition> => parseExposition(await (await fetch(`${url}/metrics`)).text(), 'prometheus')
    const group = { job: 'nightly', instance: '' }
    const gateway = new client.Pushgateway(url, {}, store.promRegistry as never)
    tasks.inc({ kind: 'a "quoted"\\ one\n' }, 4)
    wait.observe(0.5)
    await gateway.push({ jobName: 'nightly' })
    const first = await shown()
    t.equal(sampleValue(first, 'tasks_total', { ...group, region: 'north', kind: 'a "quoted"\\ one\n' }), 4)
    t.equal(sampleValue(first, 'wait_seconds_bucket', { ...group, region: 'north', le: '1' }), 1)
    t.equal(sampleValue(first, 'http_requests_total', { ...group, region: 'north', method: 'GET', endpoint: 'unmatched', status: '404' }), 1)
    t.equal(sampleValue(first, 'push_failure_time_seconds', group), 0)
    tasks.inc({ kind: 'b' })
    await gateway.pushAdd({ jobName: 'nightly' })
    t.equal(sampleValue(await shown(), 'tasks_total', { ...group, region: 'north', kind: 'b' }), 1)
    await gateway.delete({ jobName: 'nightly' })
    // It has been accepted (202) then, and is carried out a moment later.
    while ((await shown()).has('tasks_total'));
    t.notOk((await shown()).has('tasks_total'))
  })
}
