import { MeterProvider } from '@opentelemetry/sdk-metrics'
import t from 'tap'
import { createMeterBridge } from '../../lib/index.ts'
import { withoutAddedTotal } from '../../lib/export/totalless.ts'
import { askPrometheus, scraping, startPrometheus } from '../support/prometheus.ts'
import { checkMetrics } from '../support/promtool.ts'
import { scrapeProtobuf, scrapeText } from '../support/scrapes.ts'
import { startSpans } from '../support/spans.ts'
import { start } from '../support/start.ts'

const inSpan = startSpans(t)

for (const naming of ['prometheus', 'semconv'] as const) {
  t.test(`totalSuffix: false adds no _total in any format, with naming ${naming}`, async t => {
    const bridge = createMeterBridge()
    const provider = new MeterProvider({ readers: [bridge.reader] })
    t.teardown(() => provider.shutdown())
    let scrapes = 0
    let scraped = (): void => {}
    const third = new Promise<void>(resolve => { scraped = resolve })
    const warnings: string[] = []
    const { app, port } = await start(t, () => {}, {
      fastify: { logger: { level: 'warn', stream: { write: (line: string) => warnings.push((JSON.parse(line) as { msg: string }).msg) } } },
      before: app => { app.addHook('onRequest', async ({ headers }) => { if (headers['user-agent']?.startsWith('Prometheus') === true && ++scrapes === 3) scraped() }) },
      vitals: { endpoint: true, auth: false, rateLimit: false, ignore: ['/v1/metrics'], naming, totalSuffix: false, exemplars: true, meters: bridge }
    })
    const own = app.vitals.counter({ name: 'tasks_total', help: 'Tasks.', otlp: { name: 'tasks' } })
    inSpan(() => own.inc(2))
    const meter = provider.getMeter('shop')
    meter.createCounter('orders.placed', { description: 'Orders.' }).add(1)
    meter.createCounter('parts', { unit: '1', description: 'Parts.' }).add(4)
    meter.createCounter('sent', { unit: 'By', description: 'Sent.' }).add(7)
    meter.createCounter('named.total', { description: 'Named.' }).add(5)
    meter.createGauge('heat', { description: 'Heat.' }).record(3)
    const tasks = naming === 'semconv' ? 'tasks' : 'tasks_total'
    const parts = naming === 'semconv' ? 'parts_ratio' : 'parts'
    const shown = [[tasks, 2], ['named_total', 5], ['orders_placed', 1], [parts, 4], ['sent_bytes', 7]].sort()

    const text = await scrapeText(port, 'prometheus')
    t.same([...text.values()].filter(({ name, type }) => type === 'counter' && !/^(?:vitals|http)_/.test(name)).map(({ name, samples }) => [name, samples[0]!.value]).sort(), shown)
    t.ok((await checkMetrics(await app.vitals.render())).parses)
    const families = await scrapeProtobuf(port)
    for (const [name, value] of shown) t.match(families.get(String(name)), { type: 'counter', samples: [{ value }] })
    t.equal(families.get('sent_bytes')!.unit, 'bytes')
    t.equal(families.get(tasks)!.samples[0]!.exemplar?.value, 2)
    t.equal(families.get('orders_placed')!.created.length, 1)

    const openMetrics = await scrapeText(port, 'openmetrics')
    t.match([openMetrics.get('orders_placed'), openMetrics.get('sent_bytes'), openMetrics.get('named')], [{ type: 'unknown', samples: [{ name: 'orders_placed' }] }, { type: 'unknown', unit: 'bytes' }, { type: 'counter' }])
    t.equal(openMetrics.get('orders_placed')!.samples.length, 1, 'without _created')
    const exemplar = [...openMetrics.values()].flatMap(({ samples }) => samples).find(({ name }) => name === tasks)!.exemplar
    t.equal(exemplar?.value, naming === 'semconv' ? undefined : 2, 'what is unknown has no exemplars')
    t.same(warnings, [])

    const prometheus = await startPrometheus(t, scraping(port))
    await third
    const { result } = await askPrometheus(prometheus, 'query', { query: `{__name__=~"${shown.map(([name]) => name).join('|')}"}` }) as { result: { metric: Record<string, string>, value: [number, string] }[] }
    t.same(result.map(({ metric, value }) => [metric['__name__'], Number(value[1])]).sort(), shown, 'Prometheus\' parser of OpenMetrics takes them')
  })
}

t.test('only counters of OpenTelemetry meters lose it', async t => {
  const family = { name: 'jobs_total', help: '', type: 'counter', unit: undefined, banks: [] } as const
  const scope = { name: 'shop' }
  const families = [family, { ...family, otlp: { name: 'jobs' } }, { ...family, scope, otlp: false }, { ...family, scope, otlp: { name: 'jobs' } }, { ...family, type: 'gauge', scope, otlp: { name: 'jobs.total' } }] as const
  t.same(withoutAddedTotal({ takenMs: 0, constantLabels: {}, families }).families.map(({ name }) => name), ['jobs_total', 'jobs_total', 'jobs_total', 'jobs', 'jobs_total'])
})
