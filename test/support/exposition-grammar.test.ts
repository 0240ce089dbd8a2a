import t from 'tap'
import { checkMetrics } from './promtool.ts'
import { ExpositionError, countSamples, findSample, parseExposition, sampleValue } from './exposition-grammar.ts'

/** Whether promtool's parser takes the text too; its linter's opinion on names and help texts is another matter. */
type Promtool = 'refuses' | 'takes'

const kHistogram = (lines: string) => `# TYPE h histogram\n${lines}`

const kBrokenText: ReadonlyArray<readonly [fault: string, text: string, reason: RegExp, line: number, promtool: Promtool]> = [
  ['no line feed at the end', 'a 1', /line feed/, 1, 'refuses'],
  ['an empty line', 'a 1\n\nb 1\n', /empty line/, 2, 'takes'],
  ['a comment', '# made by hand\na 1\n', /comment/, 1, 'takes'],
  ['a carriage return', 'a 1\r\n', /carriage return/, 1, 'refuses'],
  ['a byte order mark', '\uFEFFa 1\n', /byte order mark/, 1, 'refuses'],
  ['a name that begins with a digit', '1a 1\n', /metric name/, 1, 'refuses'],
  ['a name with a dash', 'a-b 1\n', /before the value/, 1, 'refuses'],
  ['a name with a dot', 'a.b 1\n', /before the value/, 1, 'refuses'],
  ['no value', 'a\n', /before the value/, 1, 'refuses'],
  ['an empty value', 'a \n', /a value/, 1, 'refuses'],
  ['a value that is a word', 'a one\n', /not a number/, 1, 'refuses'],
  ['a value in words of JavaScript', 'a Infinity\n', /not a number/, 1, 'takes'],
  ['undefined as a value', 'a undefined\n', /not a number/, 1, 'refuses'],
  ['a value with a thousands separator', 'a 1_000\n', /not a number/, 1, 'refuses'],
  ['a hexadecimal value', 'a 0x10\n', /not a number/, 1, 'refuses'],
  ['a value too large for a float', 'a 1e999\n', /64-bit/, 1, 'refuses'],
  ['two blanks', 'a  1\n', /a value/, 1, 'takes'],
  ['a trailing blank', 'a 1 \n', /timestamp/, 1, 'refuses'],
  ['a fractional timestamp', 'a 1 1.5\n', /timestamp/, 1, 'refuses'],
  ['something after the timestamp', 'a 1 2 3\n', /after the timestamp/, 1, 'refuses'],
  ['an exemplar, which the text format lacks', 'a_total 1 # {} 1\n', /timestamp/, 1, 'refuses'],
  ['a label without a value', 'a{b} 1\n', /after label name/, 1, 'refuses'],
  ['a label value without quotes', 'a{b=c} 1\n', /after label name/, 1, 'refuses'],
  ['a label value in single quotes', "a{b='c'} 1\n", /after label name/, 1, 'refuses'],
  ['a label value that is not closed', 'a{b="c} 1\n', /not closed/, 1, 'refuses'],
  ['labels that are not closed', 'a{b="c" 1\n', /between labels/, 1, 'refuses'],
  ['a label name with a dash', 'a{b-c="d"} 1\n', /after label name/, 1, 'refuses'],
  ['a label name that begins with a digit', 'a{1b="d"} 1\n', /a label name/, 1, 'refuses'],
  ['a label name with a colon', 'a{b:c="d"} 1\n', /after label name/, 1, 'refuses'],
  ['a reserved label name', 'a{__name__="d"} 1\n', /reserved/, 1, 'refuses'],
  ['a label given twice', 'a{b="c",b="d"} 1\n', /given twice/, 1, 'refuses'],
  ['a raw quote in a label value', 'a{b="c"d"} 1\n', /between labels/, 1, 'refuses'],
  ['an undefined escape', 'a{b="\\t"} 1\n', /undefined escape \\t/, 1, 'refuses'],
  ['a backslash that escapes the closing quote', 'a{b="c\\"} 1\n', /not closed/, 1, 'refuses'],
  ['a raw line feed in a label value', 'a{b="c\nd"} 1\n', /not closed/, 1, 'refuses'],
  ['an undefined escape in a help text', '# HELP a say \\"hi\\"\na 1\n', /undefined escape/, 1, 'refuses'],
  ['a lone surrogate', 'a{b="\uD800"} 1\n', /surrogate/, 1, 'takes'],
  ['a help text twice', '# HELP a b\n# HELP a b\na 1\n', /second HELP/, 2, 'refuses'],
  ['a type twice', '# TYPE a gauge\n# TYPE a gauge\na 1\n', /second TYPE/, 2, 'refuses'],
  ['an unknown type', '# TYPE a meter\na 1\n', /not a type/, 1, 'refuses'],
  ['a type of OpenMetrics', '# TYPE a info\na_info 1\n', /not a type/, 1, 'refuses'],
  ['a type without a name', '# TYPE\n', /after TYPE/, 1, 'takes'],
  ['a type that comes after its samples', 'a 1\n# TYPE a gauge\n', /after its samples/, 2, 'refuses'],
  ['a help text that comes after its samples', 'a 1\n# HELP a b\n', /after its samples/, 2, 'takes'],
  ['a family in two places', '# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\na{c="d"} 1\n', /does not belong here/, 5, 'takes'],
  ['metadata in two places', '# HELP a b\n# HELP b b\n# TYPE a gauge\na 1\n', /not together/, 3, 'takes'],
  ['a series twice', '# TYPE a gauge\na{b="c"} 1\na{b="c"} 2\n', /given twice/, 3, 'takes'],
  ['a series twice with its labels in another order', '# TYPE a gauge\na{b="c",d="e"} 1\na{d="e",b="c"} 2\n', /given twice/, 3, 'takes'],
  ['a series twice but for an empty label', '# TYPE a gauge\na{b=""} 1\na 2\n', /given twice/, 3, 'takes'],
  ['a counter below zero', '# TYPE a_total counter\na_total -1\n', /cannot be -1/, 2, 'takes'],
  ['a counter that is not a number', '# TYPE a_total counter\na_total NaN\n', /cannot be NaN/, 2, 'takes'],
  ['a histogram sample without a suffix', kHistogram('h 1\n'), /does not belong here: histogram h has h_bucket/, 2, 'takes'],
  ['a histogram without a last bucket', kHistogram('h_bucket{le="1"} 1\nh_sum 1\nh_count 1\n'), /\+Inf/, 4, 'takes'],
  ['a histogram without buckets', kHistogram('h_sum 1\nh_count 1\n'), /\+Inf/, 3, 'takes'],
  ['a histogram without its sum', kHistogram('h_bucket{le="+Inf"} 1\nh_count 1\n'), /only one of sum and count/, 3, 'takes'],
  ['a histogram without its count', kHistogram('h_bucket{le="+Inf"} 1\nh_sum 1\n'), /only one of sum and count/, 3, 'takes'],
  ['a histogram with neither', kHistogram('h_bucket{le="+Inf"} 1\n'), /no sum and no count/, 2, 'takes'],
  ['a sum that is not a number', kHistogram('h_bucket{le="+Inf"} 1\nh_sum NaN\nh_count 1\n'), /NaN/, 3, 'takes'],
  ['a count that is not the last bucket', kHistogram('h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n'), /is not the \+Inf bucket/, 4, 'takes'],
  ['buckets that shrink', kHistogram('h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n'), /cumulative/, 3, 'takes'],
  ['buckets that descend', kHistogram('h_bucket{le="2"} 1\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n'), /ascend/, 3, 'takes'],
  ['a bucket twice', kHistogram('h_bucket{le="1"} 1\nh_bucket{le="1.0"} 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n'), /ascend/, 3, 'takes'],
  ['a bucket after the last', kHistogram('h_bucket{le="+Inf"} 1\nh_bucket{le="1"} 1\nh_sum 1\nh_count 1\n'), /ascend/, 3, 'takes'],
  ['a bucket without a bound', kHistogram('h_bucket 1\nh_sum 1\nh_count 1\n'), /bound/, 2, 'takes'],
  ['a bucket with a word for a bound', kHistogram('h_bucket{le="Infinity"} 1\nh_sum 1\nh_count 1\n'), /bound/, 2, 'takes'],
  ['half an event', kHistogram('h_bucket{le="+Inf"} 0.5\nh_sum 1\nh_count 0.5\n'), /counts events/, 2, 'takes'],
  ['a count with a bound', kHistogram('h_bucket{le="+Inf"} 1\nh_sum 1\nh_count{le="1"} 1\n'), /only buckets have le/, 4, 'takes'],
  ['histogram lines of one series apart', kHistogram('h_bucket{a="x",le="+Inf"} 1\nh_bucket{a="y",le="+Inf"} 1\nh_sum{a="x"} 1\nh_count{a="x"} 1\n'), /not together/, 4, 'takes'],
  ['a gauge named like a histogram\'s count', kHistogram('h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n# TYPE h_count gauge\nh_count 1\n'), /both write h_count/, 6, 'refuses'],
  ['a quantile above 1', '# TYPE s summary\ns{quantile="99"} 1\ns_sum 1\ns_count 1\n', /between 0 and 1/, 2, 'takes'],
  ['a summary that counts half an event', '# TYPE s summary\ns_sum 1\ns_count 0.5\n', /counts events/, 3, 'takes'],
  ['a summary with no sum of numbers', '# TYPE s summary\ns_sum NaN\ns_count 1\n', /NaN/, 2, 'takes'],
  ['a count of a quantile', '# TYPE s summary\ns_sum{quantile="1"} 1\n', /only quantiles/, 2, 'takes'],
  ['OpenMetrics', '# TYPE a counter\na_total 1\n# EOF\n', /EOF/, 3, 'takes']
]

const kExemplarLabels = (codePoints: number) => `{a="${'é'.repeat(codePoints - 1)}"}`

const kBrokenOpenMetrics: ReadonlyArray<readonly [fault: string, text: string, reason: RegExp, line: number]> = [
  ['nothing at all', '', /EOF/, 1],
  ['no end', 'a 1\n', /EOF/, 1],
  ['an end cut short', 'a 1\n# EO', /EOF/, 2],
  ['text after the end', '# EOF\na 1\n', /EOF/, 1],
  ['an empty line after the end', '# EOF\n\n', /EOF/, 1],
  ['the end twice', '# EOF\n# EOF\n', /EOF/, 1],
  ['an empty line', 'a 1\n\n# EOF\n', /empty line/, 2],
  ['a comment', '# made by hand\n# EOF\n', /comment/, 1],
  ['a carriage return', 'a 1\r\n# EOF\n', /carriage return/, 1],
  ['a tab', 'a\t1\n# EOF\n', /before the value/, 1],
  ['two blanks', 'a  1\n# EOF\n', /a value/, 1],
  ['a blank before the labels', 'a {b="c"} 1\n# EOF\n', /not a number/, 1],
  ['a blank between labels', 'a{b="c", d="e"} 1\n# EOF\n', /a label name/, 1],
  ['a comma after the last label', 'a{b="c",} 1\n# EOF\n', /a label name/, 1],
  ['a trailing blank', 'a 1 \n# EOF\n', /timestamp/, 1],
  ['a blank before #', 'a_total 1\n # EOF\n', /EOF/, 2],
  ['a reserved label name', 'a{_b="c"} 1\n# EOF\n', /reserved/, 1],
  ['a reserved name', '# TYPE _a gauge\n_a 1\n# EOF\n', /reserved/, 2],
  ['a raw quote in a help text', '# HELP a say "hi"\na 1\n# EOF\n', /quote must be escaped/, 1],
  ['a counter without _total', '# TYPE a counter\na 1\n# EOF\n', /does not belong here: counter a has a_total/, 2],
  ['a counter family named with _total', '# TYPE a_total counter\na_total 1\n# EOF\n', /does not belong here: counter a_total has a_total_total/, 2],
  ['a counter below zero', '# TYPE a counter\na_total -1\n# EOF\n', /cannot be -1/, 2],
  ['the type untyped', '# TYPE a untyped\na 1\n# EOF\n', /not a type/, 1],
  ['a type in capitals', '# TYPE a GAUGE\na 1\n# EOF\n', /not a type/, 1],
  ['metadata out of order', '# HELP a b\n# TYPE a gauge\na 1\n# EOF\n', /order is TYPE, UNIT, HELP/, 2],
  ['a unit that is not the suffix', '# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n', /does not end in its unit/, 2],
  ['a unit twice', '# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# UNIT a_seconds seconds\n# EOF\n', /second UNIT/, 3],
  ['a unit of an info', '# TYPE a_b info\n# UNIT a_b b\na_b_info 1\n# EOF\n', /no unit/, 2],
  ['a unit with a blank', '# TYPE a_b gauge\n# UNIT a_b  b\n# EOF\n', /not a unit/, 2],
  ['an info without _info', '# TYPE a info\na 1\n# EOF\n', /does not belong here/, 2],
  ['an info that is 2', '# TYPE a info\na_info{b="c"} 2\n# EOF\n', /always 1/, 2],
  ['a state that is 2', '# TYPE a stateset\na{a="on"} 2\n# EOF\n', /0 or 1/, 2],
  ['a state without its label', '# TYPE a stateset\na{b="on"} 1\n# EOF\n', /needs a label/, 2],
  ['a gauge and a counter that share a family', '# TYPE a gauge\na 1\n# TYPE a counter\na_total 1\n# EOF\n', /after its samples/, 3],
  ['a gauge named like a counter\'s start', '# TYPE a counter\na_total 1\n# TYPE a_created gauge\na_created 1\n# EOF\n', /both write a_created/, 5],
  ['a sum below zero', '# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum -1\nh_count 1\n# EOF\n', /negative/, 3],
  ['a sum with a negative bound', '# TYPE h histogram\nh_bucket{le="-1.0"} 0\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n# EOF\n', /negative bound/, 4],
  ['a histogram with a count and no sum', '# TYPE h histogram\nh_bucket{le="-1.0"} 0\nh_bucket{le="+Inf"} 1\nh_count 1\n# EOF\n', /only one of sum and count/, 4],
  ['a start before all time', '# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_created -1\n# EOF\n', /is a time and cannot be -1/, 3],
  ['a start that never was', '# TYPE a counter\na_total 1\na_created +Inf\n# EOF\n', /is a time and cannot be Infinity/, 3],
  ['the start of a counter apart from it', '# TYPE a counter\na_total{b="c"} 1\na_total{b="d"} 1\na_created{b="c"} 1\n# EOF\n', /not together/, 4],
  ['the start of a histogram apart from it', '# TYPE h histogram\nh_bucket{b="c",le="+Inf"} 1\nh_bucket{b="d",le="+Inf"} 1\nh_created{b="c"} 1\n# EOF\n', /not together/, 4],
  ['a timestamp that is a word', 'a 1 now\n# EOF\n', /timestamp/, 1],
  ['an exemplar on a gauge', '# TYPE a gauge\na 1 # {} 1\n# EOF\n', /cannot have an exemplar/, 2],
  ['an exemplar on a sum', '# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 1 # {} 1\nh_count 1\n# EOF\n', /cannot have an exemplar/, 3],
  ['an exemplar without labels', '# TYPE a counter\na_total 1 # 1\n# EOF\n', /before the labels of an exemplar/, 2],
  ['an exemplar without a value', '# TYPE a counter\na_total 1 # {}\n# EOF\n', /before the value of an exemplar/, 2],
  ['an exemplar with a word for a value', '# TYPE a counter\na_total 1 # {} one\n# EOF\n', /not a number/, 2],
  ['an exemplar too long', `# TYPE a counter\na_total 1 # ${kExemplarLabels(129)} 1\n# EOF\n`, /129 characters/, 2],
  ['an exemplar outside its bucket', '# TYPE h histogram\nh_bucket{le="1.0"} 1 # {} 2\nh_bucket{le="+Inf"} 1\n# EOF\n', /outside bucket/, 2],
  ['two exemplars', '# TYPE a counter\na_total 1 # {} 1 # {} 1\n# EOF\n', /not a timestamp/, 2],
  ['text after an exemplar', '# TYPE a counter\na_total 1 # {} 1 2 3\n# EOF\n', /text after the sample/, 2]
]

t.test('reads a text that has everything the format can say', async t => {
  const text = [
    '# HELP requests_total Requests, with a \\\\ and a \\n in it.',
    '# TYPE requests_total counter',
    'requests_total{method="GET",path="a\\"b\\\\n\\n}, {é😀"} 3',
    'requests_total{method="",} 1.5e+3 1395066363000',
    '# TYPE temperature gauge',
    'temperature{} -Inf -1',
    'temperature{a="1"} NaN',
    'temperature{b="2"} +Inf',
    '# HELP h',
    '# TYPE h histogram',
    'h_bucket{le="-0.5"} 0',
    'h_bucket{le="1e-05"} 1',
    'h_bucket{le="+Inf"} 2',
    'h_sum -3.25',
    'h_count 2',
    '# TYPE below histogram',
    'below_bucket{le="-0.5"} 0',
    'below_bucket{le="+Inf"} 2',
    'below_count 2',
    'bare 0042',
    '# HELP s Summary.',
    '# TYPE s summary',
    's{quantile="0.5"} NaN',
    's_sum 0',
    's_count 0',
    ''
  ].join('\n')
  const parsed = parseExposition(Buffer.from(text), 'prometheus')
  t.strictSame([...parsed.keys()], ['requests_total', 'temperature', 'h', 'below', 'bare', 's'])
  t.strictSame([...parsed.values()].map(family => family.type), ['counter', 'gauge', 'histogram', 'histogram', 'untyped', 'summary'])
  t.equal(parsed.get('requests_total')?.help, 'Requests, with a \\ and a \n in it.')
  t.equal(parsed.get('h')?.help, undefined)
  t.equal(sampleValue(parsed, 'requests_total', { method: 'GET', path: 'a"b\\n\n}, {é😀' }), 3)
  t.equal(findSample(parsed, 'requests_total')?.timestamp, 1395066363000)
  t.equal(sampleValue(parsed, 'temperature'), -Infinity)
  t.equal(sampleValue(parsed, 'temperature', { b: '2' }), Infinity)
  t.ok(Number.isNaN(sampleValue(parsed, 'temperature', { a: '1' })))
  t.equal(sampleValue(parsed, 'bare'), 42)
  t.equal(sampleValue(parsed, 'h_bucket', { le: '1e-05' }), 1)
  t.equal(sampleValue(parsed, 'missing'), undefined)
  t.equal(countSamples(parsed), 17)
  t.equal((await checkMetrics(text)).parses, true, 'promtool takes it too')
  t.equal(parseExposition('', 'prometheus').size, 0)
})

t.test('reads an OpenMetrics text that has everything the format can say', async t => {
  const parsed = parseExposition([
    '# TYPE jobs counter',
    '# HELP jobs All \\"jobs\\".',
    `jobs_total{a="x"} 17.0 1520879607.789 # ${kExemplarLabels(128)} .5 1520879607.789`,
    'jobs_created{a="x"} 1520430000.123',
    '# TYPE wait_seconds histogram',
    '# UNIT wait_seconds seconds',
    '# HELP wait_seconds Waiting.',
    'wait_seconds_bucket{le="0.1"} 8 # {} 0.054',
    'wait_seconds_bucket{le="+Inf"} 9 # {trace_id="abc"} 1e2',
    'wait_seconds_count 9',
    'wait_seconds_sum 100.5',
    '# TYPE build info',
    'build_info{version="1"} 1.0',
    '# TYPE light stateset',
    'light{light="red"} 1',
    'light{light="green"} 0',
    '# TYPE queue gaugehistogram',
    'queue_bucket{le="-1.0"} 1',
    'queue_bucket{le="+Inf"} 1',
    'queue_gcount 1',
    'queue_gsum -2',
    '# TYPE odd unknown',
    '# UNIT odd ',
    '# HELP odd ',
    'odd nan',
    '# TYPE s summary',
    's{quantile="1"} -INF',
    's_count 1',
    's_created 1',
    '# EOF'
  ].join('\n'), 'openmetrics')
  t.strictSame([...parsed.values()].map(family => family.type), ['counter', 'histogram', 'info', 'stateset', 'gaugehistogram', 'unknown', 'summary'])
  t.equal(parsed.get('jobs')?.help, 'All "jobs".')
  t.equal(parsed.get('wait_seconds')?.unit, 'seconds')
  t.equal(findSample(parsed, 'jobs_total', { a: 'x' })?.exemplar?.value, 0.5)
  t.equal(findSample(parsed, 'wait_seconds_bucket', { le: '+Inf' })?.exemplar?.labels.trace_id, 'abc')
  t.equal(sampleValue(parsed, 's', { quantile: '1' }), -Infinity)
  t.equal(parseExposition('# EOF\n', 'openmetrics').size, 0)
})

t.test('refuses every broken text, and whatever promtool refuses', async t => {
  const verdicts = await Promise.all(kBrokenText.map(([, text]) => checkMetrics(text)))
  for (const [index, [fault, text, reason, line, promtool]] of kBrokenText.entries()) {
    t.throws(() => parseExposition(text, 'prometheus'), { name: 'ExpositionError', line, reason }, fault)
    t.equal(verdicts[index]!.parses, promtool === 'takes', `promtool ${promtool} ${fault}: ${verdicts[index]!.complaints}`)
  }
})

t.test('refuses every broken OpenMetrics text', async t => {
  for (const [fault, text, reason, line] of kBrokenOpenMetrics) {
    t.throws(() => parseExposition(text, 'openmetrics'), { name: 'ExpositionError', line, reason }, fault)
  }
})

t.test('refuses bytes that are not UTF-8', async t => {
  t.throws(() => parseExposition(Buffer.from([0x61, 0x20, 0x31, 0xFF, 0x0A]), 'prometheus'), ExpositionError)
})

t.test('an error says the line and the reason', async t => {
  t.throws(() => parseExposition('a 1\nb one\n', 'prometheus'), { message: 'line 2: "one" is not a number, at column 6' })
})
