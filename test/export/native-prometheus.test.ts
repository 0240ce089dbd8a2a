import { AggregationType, MeterProvider } from '@opentelemetry/sdk-metrics'
import promClient from 'prom-client'
import t from 'tap'
import type { PromRegistry } from '../../lib/index.ts'
import { createMeterBridge } from '../../lib/index.ts'
import { askPrometheus, scraping, startPrometheus } from '../support/prometheus.ts'
import { scrapeText } from '../support/scrapes.ts'
import { startSpans } from '../support/spans.ts'
import { start } from '../support/start.ts'

const inSpan = startSpans(t)

for (const naming of ['semconv', 'prometheus'] as const) {
  t.test(`Prometheus reads over protobuf what was recorded, with naming ${naming}`, async t => {
    const bridge = createMeterBridge()
    const aggregation = { type: AggregationType.EXPONENTIAL_HISTOGRAM } as const
    const provider = new MeterProvider({ readers: [bridge.reader], views: [{ instrumentName: 'spread', aggregation }, { instrumentName: 'swings', aggregation }] })
    t.teardown(() => provider.shutdown())
    const prom = new promClient.Registry()
    const accepted = new Set<string>()
    let scrapes = 0
    let scraped = (): void => {}
    const third = new Promise<void>(resolve => { scraped = resolve })
    const { app, port } = await start(t, () => {}, {
      before: app => {
        // The third is asked for once the second was stored.
        app.addHook('onRequest', async ({ headers }) => { if (headers['user-agent']?.startsWith('Prometheus') === true && ++scrapes === 3) scraped() })
        app.addHook('onSend', async ({ headers }, reply) => { if (headers['user-agent']?.startsWith('Prometheus') === true) accepted.add(String(reply.getHeader('content-type'))) })
      },
      vitals: { endpoint: true, auth: false, rateLimit: false, ignore: ['/v1/metrics'], naming, exemplars: true, meters: bridge, registries: [prom as unknown as PromRegistry], totalSuffix: false }
    })
    const tasks = app.vitals.counter({ name: 'tasks_total', help: 'Tasks.', labels: ['kind'] })
    const wait = app.vitals.histogram({ name: 'wait_seconds', help: 'Waited.', unit: 'seconds', buckets: [1, 10, 100] })
    app.vitals.histogram({ name: 'below_celsius', help: 'Below.', unit: 'celsius', buckets: [-1, 1] }).observe(0)
    app.vitals.info({ name: 'service_info', help: 'Service.', labels: ['version'] }).set({ version: 'a "quoted"\\ one\n' })
    new promClient.Summary({ name: 'sizes', help: 'Sizes.', registers: [prom] }).observe(-3)
    new promClient.Gauge({ name: 'level', help: 'Level.', registers: [prom] }).set(-Infinity)
    tasks.inc({ kind: 'größe' }, 2 ** 53)
    const [counted, large] = [inSpan(() => tasks.inc({ kind: 'traced' }, 3)), inSpan(() => wait.observe(7))]
    inSpan(() => wait.observe(2))
    const meter = provider.getMeter('shop', '2.1')
    meter.createCounter('orders.placed').add(4)
    const spread = meter.createHistogram('spread', { unit: 's' })
    const values = Array.from({ length: 200 }, (_, i) => i < 5 ? 0 : 1.05 ** i / 100)
    for (const value of values) spread.record(value)
    const swings = meter.createUpDownCounter('swings')
    for (const value of [-4, 2]) swings.add(value)

    const prometheus = await startPrometheus(t, scraping(port), ['exemplar-storage', 'native-histograms'])
    await third
    t.same([...accepted], ['application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'])

    const ask = async (query: string): Promise<{ metric: Record<string, string>, value?: [number, string] }[]> => (await askPrometheus(prometheus, 'query', { query }) as { result: [] }).result
    const numberOf = async (query: string): Promise<number> => Number((await ask(query))[0]?.value?.[1])
    t.equal(await numberOf('up{job="service"}'), 1)
    t.equal(await numberOf('histogram_count(spread_seconds)'), values.length)
    const sum = values.reduce((sum, value) => sum + value)
    t.equal(await numberOf('histogram_sum(spread_seconds)'), sum)
    for (const quantile of [0.1, 0.5, 0.9, 0.99]) {
      const exact = values.toSorted((a, b) => a - b)[Math.ceil(quantile * values.length) - 1]!
      const found = await numberOf(`histogram_quantile(${quantile}, spread_seconds)`)
      t.ok(Math.abs(found / exact - 1) < 0.1, `quantile ${quantile}: ${found} for ${exact}`)
    }
    t.equal(await numberOf('histogram_fraction(-Inf, 0.001, spread_seconds)'), 5 / values.length)
    t.same(await ask('swings'), [], 'without a sum it is stale')

    const text = [...(await scrapeText(port, 'prometheus')).values()].flatMap(({ samples }) => samples)
    const isCompared = (name: string): boolean => !/^(?:vitals|scrape|spread|swings)_|^up$/.test(name)
    const textOf = (name: string, labels: Record<string, string>, value: number): string => {
      const bounded = labels['le'] === undefined || labels['le'] === '+Inf' ? labels : { ...labels, le: String(Number(labels['le'])) }
      return `${name} ${JSON.stringify(Object.entries(bounded).filter(([, text]) => text !== '').sort())} ${value}`
    }
    const stored = (await ask('{job="service",__name__!=""}')).flatMap(({ metric: { __name__: name, instance: _instance, job: _job, ...labels }, value }) => value === undefined || !isCompared(name!) ? [] : [textOf(name!, labels, value[1] === '-Inf' ? -Infinity : Number(value[1]))])
    const shown = text.filter(({ name }) => isCompared(name)).map(({ name, labels, value }) => textOf(name, labels, value))
    t.same(stored.sort(), shown.sort(), 'sums that are not shown are not there')
    t.equal(shown.some(line => line.startsWith('sizes_sum') || line.startsWith('below_celsius_sum')), naming === 'prometheus')
    t.ok(shown.some(line => line.startsWith('orders_placed ')), 'without _total')

    const metadata = await askPrometheus(prometheus, 'metadata', {}) as Record<string, { type: string, help: string }[]>
    t.match([metadata['orders_placed'], metadata['wait_seconds'], metadata['service_info'], metadata['sizes']], [[{ type: 'counter' }], [{ type: 'histogram', help: 'Waited.' }], [{ type: 'gauge' }], [{ type: 'summary' }]])
    const exemplarsOf = async (query: string): Promise<[string | undefined, string, number][]> => {
      const found = await askPrometheus(prometheus, 'query_exemplars', { query, start: '0', end: String(Date.now() / 1_000 + 60) }) as { seriesLabels: Record<string, string>, exemplars: { labels: Record<string, string>, value: string }[] }[]
      return found.flatMap(({ seriesLabels, exemplars }) => exemplars.map(({ labels, value }): [string | undefined, string, number] => [seriesLabels['le'], labels['trace_id']!, Number(value)])).sort()
    }
    t.same(await exemplarsOf('tasks_total'), [[undefined, counted, 3]])
    if (naming === 'semconv') t.same(await exemplarsOf('wait_seconds_bucket'), [['+Inf', large, 7], ['10.0', large, 7], ['100.0', large, 7]])
    else t.match(await exemplarsOf('wait_seconds_bucket'), [['10.0', String, 2]])
  })
}
