import protobuf from 'protobufjs'
import type { Labels } from './exposition-grammar.ts'

/*
 * Reads Prometheus' protobuf exposition with protobufjs, by what the schema (prometheus/client_model,
 * io/prometheus/client/metrics.proto) says of its fields, and says which samples it stands for.
 */

const { root } = protobuf.parse(`
  syntax = "proto2";
  message Timestamp { optional int64 seconds = 1; optional int32 nanos = 2; }
  message LabelPair { optional string name = 1; optional string value = 2; }
  message Exemplar { repeated LabelPair label = 1; optional double value = 2; optional Timestamp timestamp = 3; }
  message Gauge { optional double value = 1; }
  message Untyped { optional double value = 1; }
  message Counter { optional double value = 1; optional Exemplar exemplar = 2; optional Timestamp created = 3; }
  message Quantile { optional double quantile = 1; optional double value = 2; }
  message Summary { optional uint64 count = 1; optional double sum = 2; repeated Quantile quantile = 3; optional Timestamp created = 4; }
  message Bucket { optional uint64 cumulative = 1; optional double bound = 2; optional Exemplar exemplar = 3; optional double cumulativeFloat = 4; }
  message Span { optional sint32 offset = 1; optional uint32 length = 2; }
  message Histogram {
    optional uint64 count = 1; optional double sum = 2; repeated Bucket bucket = 3; optional double countFloat = 4;
    optional sint32 schema = 5; optional double zeroThreshold = 6; optional uint64 zeroCount = 7; optional double zeroCountFloat = 8;
    repeated Span negativeSpan = 9; repeated sint64 negativeDelta = 10; repeated double negativeCount = 11;
    repeated Span positiveSpan = 12; repeated sint64 positiveDelta = 13; repeated double positiveCount = 14;
    optional Timestamp created = 15; repeated Exemplar exemplars = 16;
  }
  message Metric {
    repeated LabelPair label = 1; optional Gauge gauge = 2; optional Counter counter = 3; optional Summary summary = 4;
    optional Untyped untyped = 5; optional int64 timestampMs = 6; optional Histogram histogram = 7;
  }
  message MetricFamily { optional string name = 1; optional string help = 2; optional int32 type = 3; repeated Metric metric = 4; optional string unit = 5; }
`, { keepCase: true })
const MetricFamily = root.lookupType('MetricFamily')

type Raw = Record<string, any>

export interface DecodedSample {
  name: string
  labels: Labels
  value: number
  exemplar?: { labels: Labels, value: number, timestampMs: number | undefined } | undefined
}

/** A native histogram with the number of each bucket that is not empty by Prometheus' index. */
export interface DecodedNative {
  labels: Labels
  count: number
  sum: number
  isStale: boolean
  schema: number
  zeroThreshold: number
  zeroCount: number
  positive: Map<number, number>
  negative: Map<number, number>
}

export interface DecodedFamily {
  name: string
  help: string
  type: string
  unit: string
  samples: DecodedSample[]
  natives: DecodedNative[]
  /** Since when the series of these labels count, in ms. */
  created: { labels: Labels, ms: number }[]
}

/** Prometheus' NaN for a value that is not there (value.StaleNaN); a number of JavaScript need not keep the bits that tell it from others. */
const STALE_NAN = 0x7ff0_0000_0000_0002n
const STALE = Object(NaN) as number

const TYPES = ['counter', 'gauge', 'summary', 'unknown', 'histogram']

/** The families of a scrape, in their order; throws where the bytes are none, or a name comes twice. */
export function decodeFamilies (bytes: Uint8Array): Map<string, DecodedFamily> {
  const families = new Map<string, DecodedFamily>()
  const reader = protobuf.Reader.create(bytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const readDouble = reader.double.bind(reader)
  reader.double = () => {
    const isStale = view.getBigUint64(reader.pos, true) === STALE_NAN
    const value = readDouble()
    return isStale ? STALE : value
  }
  while (reader.pos < reader.len) {
    const message = MetricFamily.decodeDelimited(reader)
    const raw = MetricFamily.toObject(message, { longs: Number, arrays: true }) as Raw
    if (families.has(raw['name'])) throw new Error(`${raw['name']} comes twice`)
    families.set(raw['name'], toFamily(raw))
  }
  return families
}

function toFamily ({ name, help, type, metric, unit = '' }: Raw): DecodedFamily {
  const family: DecodedFamily = { name, help, type: TYPES[type]!, unit, samples: [], natives: [], created: [] }
  for (const raw of metric as Raw[]) {
    const labels = toLabels(raw['label'])
    const data = raw['gauge'] ?? raw['counter'] ?? raw['summary'] ?? raw['histogram']
    if (data['created'] !== undefined) family.created.push({ labels, ms: toMs(data['created']) })
    const sample = (suffix: string, value: number, extra: Labels = {}, exemplar?: Raw): void => {
      family.samples.push({ name: `${name}${suffix}`, labels: { ...labels, ...extra }, value, exemplar: exemplar && toExemplar(exemplar) })
    }
    if (raw['gauge'] !== undefined || raw['counter'] !== undefined) {
      sample('', data['value'], {}, data['exemplar'])
      continue
    }
    for (const { quantile, value } of data['quantile'] ?? []) sample('', value, { quantile: String(quantile) })
    for (const { bound, cumulative, cumulativeFloat, exemplar } of data['bucket'] ?? []) sample('_bucket', cumulativeFloat ?? cumulative, { le: bound === Infinity ? '+Inf' : String(bound) }, exemplar)
    if (data['sum'] !== STALE) sample('_sum', data['sum'])
    sample('_count', data['countFloat'] ?? data['count'])
    if (data['schema'] !== undefined) family.natives.push(toNative(labels, data))
  }
  return family
}

function toNative (labels: Labels, data: Raw): DecodedNative {
  const { count, sum, schema, zeroThreshold, zeroCount } = data
  return {
    labels,
    count,
    sum,
    schema,
    zeroThreshold,
    zeroCount,
    isStale: sum === STALE,
    positive: toBuckets(data['positiveSpan'], data['positiveDelta']),
    negative: toBuckets(data['negativeSpan'], data['negativeDelta'])
  }
}

function toBuckets (spans: { offset: number, length: number }[], deltas: number[]): Map<number, number> {
  const buckets = new Map<number, number>()
  let index = 0
  let at = 0
  let count = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++, index++) {
      count += deltas[at++]!
      if (count !== 0) buckets.set(index, count)
    }
  }
  if (at !== deltas.length) throw new Error(`${deltas.length} buckets in spans of ${at}`)
  return buckets
}

function toExemplar ({ label, value, timestamp }: Raw): NonNullable<DecodedSample['exemplar']> {
  return { labels: toLabels(label), value, timestampMs: timestamp && toMs(timestamp) }
}

function toLabels (pairs: { name: string, value: string }[]): Labels {
  const labels = Object.fromEntries(pairs.map(({ name, value }) => [name, value]))
  if (Object.keys(labels).length !== pairs.length) throw new Error(`a label comes twice: ${JSON.stringify(pairs)}`)
  return labels
}

function toMs ({ seconds = 0, nanos = 0 }: Raw): number {
  return seconds * 1_000 + nanos / 1e6
}
