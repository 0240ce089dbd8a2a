import t from 'tap'
import type { ParsedSample } from '../support/exposition-grammar.ts'
import { parseExposition } from '../support/exposition-grammar.ts'
import { askPrometheus, scraping, startPrometheus } from '../support/prometheus.ts'
import { startSpans } from '../support/spans.ts'
import { start } from '../support/start.ts'

const inSpan = startSpans(t)

t.test('Prometheus takes starts, exemplars and all else as it is shown under OpenTelemetry\'s names', async t => {
  let scrapes = 0
  let scraped = (): void => {}
  const third = new Promise<void>(resolve => { scraped = resolve })
  const { app, port } = await start(t, () => {}, {
    before: app => {
      // The third is asked for once the second was stored.
      app.addHook('onRequest', async () => { if (++scrapes === 3) scraped() })
    },
    vitals: { endpoint: true, auth: false, rateLimit: false, ignore: ['/v1/metrics'], naming: 'semconv', exemplars: true, meters: false }
  })
  const tasks = app.vitals.counter({ name: 'tasks_total', help: 'Tasks.', labels: ['kind'] })
  const wait = app.vitals.histogram({ name: 'wait_seconds', help: 'Waited.', unit: 'seconds', buckets: [1, 10, 100] })
  app.vitals.histogram({ name: 'below_celsius', help: 'Below.', unit: 'celsius', buckets: [-1, 1] }).observe(0)
  tasks.inc({ kind: 'plain' })
  const [counted, large] = [inSpan(() => tasks.inc({ kind: 'traced' }, 3)), inSpan(() => wait.observe(7))]
  inSpan(() => wait.observe(2))

  const prometheus = await startPrometheus(t, scraping(port), ['exemplar-storage'])
  await third

  const samplesOf = async (query: string): Promise<string[]> => {
    const { result } = await askPrometheus(prometheus, 'query', { query }) as { result: { metric: Record<string, string>, value: [number, string] }[] }
    return result.map(({ metric: { __name__: name, instance: _instance, job: _job, ...labels }, value: [, value] }) => textOf({ name: name!, labels, value: Number(value) })).sort()
  }
  const textOf = ({ name, labels, value }: Pick<ParsedSample, 'name' | 'labels' | 'value'>): string => `${name} ${JSON.stringify(Object.entries(labels).filter(([, text]) => text !== '').sort())} ${value}`
  const shown = [...parseExposition(await app.vitals.render({ format: 'openmetrics' }), 'openmetrics').values()].flatMap(({ samples }) => samples)
  const own = shown.filter(({ name }) => !name.startsWith('vitals_'))
  t.same(await samplesOf('{job="service",__name__!~"(vitals|scrape)_.*|up"}'), own.map(textOf).sort())
  const starts = own.filter(({ name }) => name.endsWith('_created'))
  t.same(starts.map(({ name }) => name), ['tasks_created', 'tasks_created', 'wait_seconds_created', 'below_celsius_created'])
  t.same(await samplesOf('up'), ['up [] 1'])

  const exemplarsOf = async (query: string): Promise<[string | undefined, string, number][]> => {
    const found = await askPrometheus(prometheus, 'query_exemplars', { query, start: '0', end: String(Date.now() / 1_000 + 60) }) as { seriesLabels: Record<string, string>, exemplars: { labels: Record<string, string>, value: string }[] }[]
    return found.flatMap(({ seriesLabels, exemplars }) => exemplars.map(({ labels, value }): [string | undefined, string, number] => [seriesLabels['le'], labels['trace_id']!, Number(value)])).sort()
  }
  t.same(await exemplarsOf('wait_seconds_bucket'), [['+Inf', large, 7], ['10.0', large, 7], ['100.0', large, 7]])
  t.same(await exemplarsOf('tasks_total'), [[undefined, counted, 3]])
})
