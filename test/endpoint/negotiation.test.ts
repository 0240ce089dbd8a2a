import t from 'tap'
import { acceptsGzip, negotiateFormat } from '../../lib/endpoint/negotiation.ts'

const PROMETHEUS_OLD = 'application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
const PROMETHEUS_2 = 'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
const PROMETHEUS_2_55 = 'application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'
const PROMETHEUS_3 = 'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'
const PROMETHEUS_3_NATIVE = `application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,${PROMETHEUS_3}`
const PROMETHEUS_2_NATIVE = `application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,${PROMETHEUS_2.replace('1.0.0,', '1.0.0;q=0.8,')}`
const PROTOBUF = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited'
const PROMETHEUS_TEXT_FIRST = 'text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.2'
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'

t.test('gives OpenMetrics or protobuf to whom prefers it, and text to all others', async (t) => {
  const expectations: [accept: string | undefined, format: string][] = [
    [undefined, 'prometheus'],
    ['', 'prometheus'],
    ['*/*', 'prometheus'],
    ['*/*;q=0', 'prometheus'],
    ['text/*', 'prometheus'],
    ['application/*', 'openmetrics'],
    ['application/*, text/*', 'openmetrics'],
    ['text/*, application/*', 'prometheus'],
    [PROMETHEUS_OLD, 'prometheus'],
    [PROMETHEUS_2, 'openmetrics'],
    [PROMETHEUS_2_55, 'openmetrics'],
    [PROMETHEUS_3, 'openmetrics'],
    [PROMETHEUS_3_NATIVE, 'protobuf'],
    [PROMETHEUS_2_NATIVE, 'protobuf'],
    [PROTOBUF, 'protobuf'],
    [PROTOBUF.toUpperCase(), 'protobuf'],
    ['application/vnd.google.protobuf; encoding="delimited"; proto="io.prometheus.client.MetricFamily"; escaping=allow-utf-8', 'protobuf'],
    [`${PROTOBUF};q=0.5, text/plain;q=0.4`, 'protobuf'],
    [`${PROTOBUF};q=0.5, text/plain;q=0.6`, 'prometheus'],
    [`${PROTOBUF};q=0.5, application/openmetrics-text;q=0.6`, 'openmetrics'],
    [`${PROTOBUF};q=0, */*;q=0.1`, 'prometheus'],
    [`text/plain;version=0.0.4, ${PROTOBUF}`, 'prometheus'],
    [`text/plain, ${PROTOBUF}`, 'protobuf'],
    [`${PROTOBUF}, */*`, 'protobuf'],
    ['application/vnd.google.protobuf', 'prometheus'],
    ['application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily', 'prometheus'],
    ['application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text', 'prometheus'],
    ['application/vnd.google.protobuf;proto=another.Message;encoding=delimited', 'prometheus'],
    [PROMETHEUS_TEXT_FIRST, 'prometheus'],
    [BROWSER, 'prometheus'],
    ['application/openmetrics-text', 'openmetrics'],
    ['APPLICATION/OpenMetrics-Text; Version="1.0.0"; Charset=utf-8', 'openmetrics'],
    ['application/openmetrics-text; version=0.0.1', 'prometheus'],
    ['application/openmetrics-text; version=2.0.0', 'prometheus'],
    ['text/plain, application/openmetrics-text', 'prometheus'],
    ['application/openmetrics-text, text/plain', 'openmetrics'],
    ['application/openmetrics-text, */*', 'openmetrics'],
    ['application/openmetrics-text;q=0.2, */*', 'prometheus'],
    ['application/openmetrics-text;q=0, application/*', 'prometheus'],
    ['application/openmetrics-text;q=0.5, text/plain;q=0.49', 'openmetrics'],
    ['application/openmetrics-text ; q=1 , text/plain ; q=0.9', 'openmetrics'],
    ['application/openmetrics-text;q=banana', 'prometheus'],
    ['application/openmetrics-text;q=', 'prometheus'],
    ['application/openmetrics-text;q=7', 'prometheus'],
    ['application/openmetrics-text;q=-1', 'prometheus'],
    ['application/json', 'prometheus'],
    [';;;,,,;q=;=,"', 'prometheus']
  ]
  for (const [accept, format] of expectations) t.equal(negotiateFormat(accept), format, accept ?? 'no header')
})

t.test('compresses for whom takes gzip', async (t) => {
  const expectations: [acceptEncoding: string | undefined, gzip: boolean][] = [
    [undefined, false],
    ['', false],
    ['gzip', true],
    ['GZIP', true],
    ['deflate, gzip;q=1.0, *;q=0.5', true],
    ['br', false],
    ['*', true],
    ['*;q=0', false],
    ['gzip;q=0', false],
    ['gzip;q=0, *', false],
    ['gzip;q=0.000', false],
    ['gzip;q=nonsense', false],
    ['identity', false],
    ['identity;q=1, gzip;q=0.5', false],
    ['identity;q=0.5, gzip;q=1', true],
    ['identity;q=0, gzip;q=0.1', true]
  ]
  for (const [acceptEncoding, gzip] of expectations) t.equal(acceptsGzip(acceptEncoding), gzip, acceptEncoding ?? 'no header')
})

t.test('treats a header of absurd length as none', async (t) => {
  for (const filler of [',', ';', 'a', 'q=', '*/*,', ';q=0.1,', '"', ' ']) {
    const huge = `application/openmetrics-text,${filler.repeat(1_000_000)}`
    t.equal(negotiateFormat(huge), 'prometheus')
    t.equal(acceptsGzip(`gzip,${huge}`), false)
  }
})
