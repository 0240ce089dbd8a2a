import { AggregationType, MeterProvider } from '@opentelemetry/sdk-metrics'
import t from 'tap'
import type { VitalsOptions } from '../../lib/index.ts'
import { createMeterBridge } from '../../lib/index.ts'
import { SemconvView } from '../../lib/export/semconv.ts'
import { toPrometheusLabels, toPrometheusName, toPrometheusUnit } from '../../lib/series/otel-names.ts'
import type { NamedKind } from '../../lib/series/otel-names.ts'
import type { Attributes } from '../../lib/series/otlp-identity.ts'
import { checkMetrics } from '../support/promtool.ts'
import { openStore } from '../support/store.ts'

/*
 * The rules of OpenTelemetry's specification, "Prometheus and OpenMetrics Compatibility", section "OTLP Metric points to
 * Prometheus". Where it leaves something open, the cases follow Prometheus' own translator, and say so.
 */

/** Kind, name and unit of OpenTelemetry, and the name for Prometheus. */
const NAMES: [string, [NamedKind, string, string, string][]][] = [
  ['characters that are not allowed become an underscore, several in a row one', [
    ['gauge', 'simple_metric', '', 'simple_metric'],
    ['gauge', 'metric.with-dots/and.more', '', 'metric_with_dots_and_more'],
    ['gauge', 'metric@@##$$name', '', 'metric_name'],
    ['gauge', 'metric__with___underscores', '', 'metric_with_underscores'],
    ['gauge', 'a._-b', '', 'a_b'],
    ['gauge', 'größe', '', 'gr_e'],
    ['gauge', 'rule:level', '', 'rule:level'],
    ['gauge', 'Capital.Letters9', '', 'Capital_Letters9']
  ]],
  ['a digit at the beginning gets an underscore before it', [
    ['gauge', '123metric', '', '_123metric'],
    ['sum', '2xx.answers', '', '_2xx_answers_total']
  ]],
  ['suffixes do not make underscores in a row', [
    ['sum', 'jobs.', '', 'jobs_total'],
    ['gauge', 'disk-', 'By', 'disk_bytes'],
    ['gauge', 'disk', '_odd__unit_', 'disk_odd_unit']
  ]],
  ['monotonic sums end in _total, and nothing else does', [
    ['sum', 'jobs', '', 'jobs_total'],
    ['sum', 'jobs_total', '', 'jobs_total'],
    ['sum', 'jobs.total', '', 'jobs_total'],
    ['sum', 'total', '', 'total_total'],
    ['updown', 'jobs', '', 'jobs'],
    ['gauge', 'jobs', '', 'jobs'],
    ['histogram', 'jobs', '', 'jobs'],
    ['exponential', 'jobs', '', 'jobs'],
    ['summary', 'jobs', '', 'jobs']
  ]],
  ['the unit comes before _total, unless the name contains it as a word', [
    ['sum', 'io', 'By', 'io_bytes_total'],
    ['sum', 'io_total', 'By', 'io_bytes_total'],
    ['sum', 'io.bytes', 'By', 'io_bytes_total'],
    ['sum', 'io.bytes.total', 'By', 'io_bytes_total'],
    ['histogram', 'wait.seconds', 's', 'wait_seconds'],
    ['histogram', 'wait.seconds.of.jobs', 's', 'wait_seconds_of_jobs'],
    ['sum', 'io.bytes.read', 'By', 'io_bytes_read_total'],
    ['sum', 'bytes.per.second', 'By/s', 'bytes_per_second_total'],
    ['sum', 'bytes.second', 'By/s', 'bytes_second_bytes_per_second_total'],
    ['gauge', 'seconds', 's', 'seconds'],
    ['gauge', 'milliseconds', 's', 'milliseconds_seconds'],
    ['histogram', 'http.server.request.duration', 's', 'http_server_request_duration_seconds'],
    ['updown', 'memory.used', 'By', 'memory_used_bytes']
  ]],
  ['what stands in brackets is dropped', [
    ['updown', 'http.server.active_requests', '{request}', 'http_server_active_requests'],
    ['sum', 'packets', '{packet}', 'packets_total'],
    ['gauge', 'rate', '{packet}/s', 'rate_per_second'],
    ['gauge', 'size', 'By/{packet}', 'size_bytes'],
    ['gauge', 'share', '{packet}/{request}', 'share'],
    ['gauge', 'load', '1{core}', 'load_ratio']
  ]],
  ['1 is a ratio, of every kind, unless the name contains it', [
    ['gauge', 'disk.used', '1', 'disk_used_ratio'],
    ['gauge', 'disk_used_ratio', '1', 'disk_used_ratio'],
    ['sum', 'items', '1', 'items_ratio_total'],
    ['sum', 'items.total', '1', 'items_ratio_total'],
    ['sum', 'ratio.of.items', '1', 'ratio_of_items_total'],
    ['updown', 'items', '1', 'items_ratio'],
    ['histogram', 'quota', '1', 'quota_ratio'],
    ['exponential', 'quota', '1', 'quota_ratio'],
    ['summary', 'quota', '1', 'quota_ratio'],
    ['gauge', 'migration', '1', 'migration_ratio']
  ]],
  ['what has no abbreviation stays', [
    ['gauge', 'odd', 'furlongs', 'odd_furlongs'],
    ['gauge', 'odd', 'unit@with#special', 'odd_unit_with_special'],
    ['gauge', 'odd', '@#$', 'odd'],
    ['gauge', 'odd', '   ', 'odd']
  ]]
]

/** Of a sum: name and unit of OpenTelemetry, and the name for Prometheus where no `_total` is added. */
const WITHOUT_TOTAL: [string, string, string][] = [
  ['jobs', '', 'jobs'],
  ['jobs.total', '', 'jobs_total'],
  ['jobs_total', '', 'jobs_total'],
  ['io', 'By', 'io_bytes'],
  ['io.total', 'By', 'io_bytes_total'],
  ['total', '', 'total'],
  ['jobs.', '', 'jobs_'],
  ['items', '1', 'items_ratio']
]

t.test('the suffix _total may be left out: a name that has it keeps it', async t => {
  for (const [name, unit, expected] of WITHOUT_TOTAL) t.equal(toPrometheusName(name, unit, 'sum', { addsTotal: false }), expected, `${name} in ${unit}`)
})

for (const [rule, cases] of NAMES) {
  t.test(rule, async t => {
    for (const [kind, name, unit, expected] of cases) t.equal(toPrometheusName(name, unit, kind), expected, `${kind} ${name} in ${unit}`)
  })
}

t.test('units become words', async t => {
  const units: Record<string, string | undefined> = {
    // The table of section "Metric Metadata".
    d: 'days',
    h: 'hours',
    min: 'minutes',
    s: 'seconds',
    ms: 'milliseconds',
    us: 'microseconds',
    ns: 'nanoseconds',
    By: 'bytes',
    KiBy: 'kibibytes',
    MiBy: 'mebibytes',
    GiBy: 'gibibytes',
    TiBy: 'tebibytes',
    kBy: 'kilobytes',
    MBy: 'megabytes',
    GBy: 'gigabytes',
    TBy: 'terabytes',
    m: 'meters',
    V: 'volts',
    A: 'amperes',
    J: 'joules',
    W: 'watts',
    g: 'grams',
    Cel: 'celsius',
    Hz: 'hertz',
    '%': 'percent',
    // Rates.
    'm/s': 'meters_per_second',
    'By/s': 'bytes_per_second',
    'requests/m': 'requests_per_minute',
    'MBy/h': 'megabytes_per_hour',
    '1/s': 'per_second',
    '/s': 'per_second',
    '1/min': 'per_minute',
    '1/d': 'per_day',
    '1/w': 'per_week',
    '1/mo': 'per_month',
    '1/y': 'per_year',
    'W/custom@unit': 'watts_per_custom_unit',
    'm/s/s': 'meters_per_s_s',
    'By/': 'bytes',
    '/': undefined,
    '': undefined,
    '{request}': undefined
  }
  for (const [unit, word] of Object.entries(units)) t.equal(toPrometheusUnit(unit), word, unit)
})

t.test('attributes become labels', async t => {
  const cases: [Attributes, Record<string, string>][] = [
    [{ 'http.route': '/a', 'with:colon': 'b', größe: 'c' }, { http_route: '/a', with_colon: 'b', gr_e: 'c' }],
    [{ 'a..b': 1, __c__: 2 }, { a_b: '1', _c_: '2' }],
    // The specification leaves open what becomes of a digit; Prometheus' translator has key_ there, OpenTelemetry's exporters do not.
    [{ '9x': 'nine' }, { _9x: 'nine' }],
    [{ a_b: 'third', 'a.b': 'second', 'a-b': 'first' }, { a_b: 'first;second;third' }],
    [{ yes: true, count: 3, rate: 0.5, large: 1e21, odd: NaN, far: -Infinity }, { yes: 'true', count: '3', rate: '0.5', large: '1e+21', odd: 'NaN', far: '-Infinity' }],
    [{ texts: ['a', 'b "c"'], numbers: [1, NaN, Infinity], gaps: [true, null] }, { texts: '["a","b \\"c\\""]', numbers: '[1,"NaN","Infinity"]', gaps: '[true,null]' }],
    [{ none: undefined, nil: null } as unknown as Attributes, { none: '', nil: '' }]
  ]
  for (const [attributes, labels] of cases) t.same(toPrometheusLabels(attributes), labels)
  t.same(toPrometheusLabels({ 'otel.scope.name': 'mine', otel_scope_version: '1' }, { otel_scope_name: 'shop', otel_scope_version: '2' }), { otel_scope_name: 'mine;shop', otel_scope_version: '1;2' })
})

/** What an application records through an SDK of its own, shown under these options. */
async function shown (t: Parameters<typeof openStore>[0], options: VitalsOptions) {
  const bridge = createMeterBridge()
  const provider = new MeterProvider({ readers: [bridge.reader], views: [{ instrumentName: 'exponential', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }] })
  t.teardown(() => provider.shutdown())
  return { ...await openStore(t, { naming: 'semconv', meters: bridge, ...options }), provider }
}

t.test('the scope is a label of every point: name, version, schema; attributes of the same name share it', async t => {
  const { provider, scrape, vitals } = await shown(t, { constantLabels: { region: 'north' } })
  provider.getMeter('shop', '2.1', { schemaUrl: 'https://opentelemetry.io/schemas/1.31.0' }).createCounter('orders').add(1, { 'otel.scope.name': 'mine', 're.gion': 'x' })
  provider.getMeter('bare').createGauge('heat').record(3, { region: 'south' })
  for (const kind of ['fixed', 'exponential']) provider.getMeter('bare').createHistogram(kind, { advice: { explicitBucketBoundaries: [1] } }).record(2, { le: 'mine' })
  for (const format of ['prometheus', 'openmetrics'] as const) {
    const families = await scrape(format)
    const labelsOf = (name: string) => [...families.values()].flatMap(({ samples }) => samples).filter(sample => sample.name === name).map(({ labels }) => labels)
    t.same(labelsOf('orders_total'), [{ otel_scope_name: 'mine;shop', otel_scope_version: '2.1', otel_scope_schema_url: 'https://opentelemetry.io/schemas/1.31.0', region: 'north', re_gion: 'x' }])
    t.same(labelsOf('heat'), [{ otel_scope_name: 'bare', region: 'south' }])
    t.same(labelsOf('fixed_count'), [{ otel_scope_name: 'bare', exported_le: 'mine', region: 'north' }])
    t.ok(labelsOf('exponential_bucket').every(({ le, exported_le: exported }) => le !== undefined && exported === 'mine'))
  }
  t.ok((await checkMetrics(await vitals.render())).parses)
})

t.test('types follow the kinds of data; an info is one', async t => {
  const { provider, scrape, vitals } = await shown(t, {})
  const meter = provider.getMeter('shop')
  meter.createCounter('a.sum', { unit: 'By', description: 'Bytes.' }).add(1)
  meter.createUpDownCounter('an.updown', { unit: '1' }).add(1)
  meter.createGauge('a.gauge', { unit: 'Cel' }).record(1)
  meter.createHistogram('a.histogram', { unit: 'ms' }).record(1)
  vitals.info({ name: 'service_info', help: 'Service.', labels: ['version'], otlp: { name: 'service.info' } }).set({ version: '1' })
  vitals.info({ name: 'release_info', help: 'Release.', labels: ['version'], otlp: { name: 'release.bytes', unit: 'By' } }).set({ version: '1' })
  t.equal((await scrape('prometheus')).get('release_bytes_info')?.type, 'gauge', 'the older format has no infos, but their suffix')
  const families = await scrape('openmetrics')
  const seen = Object.fromEntries([...families.values()].map(({ name, type, unit, help }) => [name, [type, unit, help]]))
  t.match(seen, {
    a_sum_bytes: ['counter', 'bytes', 'Bytes.'],
    an_updown_ratio: ['gauge', 'ratio'],
    a_gauge_celsius: ['gauge', 'celsius'],
    a_histogram_milliseconds: ['histogram', 'milliseconds'],
    service: ['info', undefined, 'Service.'],
    release_bytes: ['info', undefined, 'Release.'],
    target: ['info', undefined, 'Target metadata']
  })
})

t.test('target_info has the resource, and nothing else', async t => {
  const { scrape } = await openStore(t, { naming: 'semconv', meters: false, constantLabels: { region: 'north' }, otlp: { endpoint: 'http://127.0.0.1:1', closeTimeoutMs: 50, resource: { 'service.name': 'shop', replicas: 3, 'k8s.pod-name': 'a' } } })
  const targets = [...(await scrape()).values()].flatMap(({ samples }) => samples).filter(({ name }) => name === 'target_info')
  t.equal(targets.length, 1)
  t.match(targets[0], { value: 1, labels: { service_name: 'shop', replicas: '3', k8s_pod_name: 'a', telemetry_sdk_language: 'nodejs' } })
  t.notOk(Object.keys(targets[0]!.labels).some(name => name === 'region' || name.startsWith('otel_scope')))
  t.same(new SemconvView({}, { naming: 'semconv', scopeLabels: true, totalSuffix: true }).of({ takenMs: 0, constantLabels: {}, families: [] }).families, [], 'an empty resource is none')
})

t.test('of two help texts the first is shown, and the points of both', async t => {
  const { provider, scrape, warnings } = await shown(t, {})
  for (const [i, description] of ['One.', 'Two.', 'Two.'].entries()) provider.getMeter(`shop-${i}`).createCounter('orders', { description }).add(1)
  for (let i = 0; i < 2; i++) t.match((await scrape()).get('orders_total'), { help: 'One.', samples: [{}, {}, {}] })
  t.same(warnings, [1, 2].map(i => `fastify-vitals: Prometheus is not shown the help text of counter orders_total of shop-${i}: counter orders_total of shop-0 has another one`))
})
