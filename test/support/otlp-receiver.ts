import { createRequire } from 'node:module'
import type { Test } from 'tap'

/*
 * A receiver that is not ours: Elastic's mock OTLP server, which decodes with OpenTelemetry's own .proto files (protobufjs for
 * HTTP, @grpc/proto-loader for gRPC). What it hands out differs a little with the transport; here it becomes one form.
 */

const { MockOtlpServer } = createRequire(import.meta.url)('@elastic/mockotlpserver') as { MockOtlpServer: new (options: object) => MockServer }

interface MockServer {
  readonly httpUrl: URL
  readonly grpcUrl: URL
  start (): Promise<void>
  close (): Promise<void>
}

export type AttributeMap = Record<string, unknown>

export interface ReceivedPoint {
  attributes: AttributeMap
  startMs: number
  timeMs: number
  /** Of a sum or gauge. */
  value?: number
  isInt?: boolean
  count?: number
  sum?: number
  bounds?: number[]
  bucketCounts?: number[]
  exponential?: { scale: number, zeroCount: number, positive: Range, negative: Range }
  exemplars: ReceivedExemplar[]
}

export interface ReceivedExemplar {
  value: number
  isInt: boolean
  timeMs: number
  traceId: string
  spanId: string
  attributes: AttributeMap
}

interface Range { offset: number, counts: number[] }

export interface ReceivedMetric {
  name: string
  unit: string
  description: string
  scope: { name: string, version: string }
  kind: 'sum' | 'gauge' | 'histogram' | 'exponentialHistogram'
  isMonotonic: boolean
  temporality: 'cumulative' | 'delta' | undefined
  points: ReceivedPoint[]
}

export interface ReceivedMessage {
  resource: AttributeMap
  metrics: ReceivedMetric[]
}

export interface OtlpReceiver {
  httpUrl: string
  grpcUrl: string
  messages: ReceivedMessage[]
  /** Headers of each HTTP request, or metadata of each call. */
  requests: { path: string, headers: Record<string, unknown> }[]
  /** Forgets what came, and returns it as one: each metric with all its points. */
  take (): { resource: AttributeMap, metrics: Map<string, ReceivedMetric> }
}

export async function startReceiver (t: Test): Promise<OtlpReceiver> {
  const messages: ReceivedMessage[] = []
  const requests: OtlpReceiver['requests'] = []
  const server = new MockOtlpServer({
    logLevel: 'fatal',
    services: ['http', 'grpc'],
    httpHostname: '127.0.0.1',
    httpPort: 0,
    grpcHostname: '127.0.0.1',
    grpcPort: 0,
    onMetrics: (message: Raw) => messages.push(...list(message['resourceMetrics']).map(toMessage)),
    onRequest: (request: Raw) => requests.push(toRequest(request))
  })
  await server.start()
  t.teardown(() => server.close())
  return {
    httpUrl: String(server.httpUrl).replace(/\/$/, ''),
    grpcUrl: String(server.grpcUrl).replace(/\/$/, ''),
    messages,
    requests,
    take () {
      const taken = messages.splice(0)
      const metrics = new Map<string, ReceivedMetric>()
      for (const metric of taken.flatMap(message => message.metrics)) {
        const key = `${metric.scope.name} ${metric.name}`
        const known = metrics.get(key)
        if (known === undefined) metrics.set(key, metric)
        else known.points.push(...metric.points)
      }
      return { resource: taken.at(-1)?.resource ?? {}, metrics }
    }
  }
}

type Raw = Record<string, any>

const list = (value: unknown): Raw[] => Array.isArray(value) ? value as Raw[] : []

/** Numbers come as numbers, as digits, or as 64-bit objects. */
function toNumber (value: unknown): number {
  return typeof value === 'object' && value !== null ? Number(String(value)) : Number(value ?? 0)
}

function toRequest (request: Raw): OtlpReceiver['requests'][number] {
  const headers = request['metadata'] === undefined ? request['headers'] ?? request['req']?.headers ?? {} : (request['metadata'] as { getMap (): object }).getMap()
  return { path: String(request['path'] ?? request['url'] ?? ''), headers: headers as Record<string, unknown> }
}

function toMessage (raw: Raw): ReceivedMessage {
  return {
    resource: toAttributes(raw['resource']?.attributes),
    metrics: list(raw['scopeMetrics']).flatMap(scoped => list(scoped['metrics']).map(metric => toMetric(metric, scoped['scope'] ?? {})))
  }
}

function toAttributes (attributes: unknown): AttributeMap {
  return Object.fromEntries(list(attributes).map(({ key, value }) => [key, toValue(value as Raw)]))
}

function toValue (value: Raw): unknown {
  for (const [kind, content] of Object.entries(value)) {
    if (content == null || kind === 'value') continue
    if (kind === 'stringValue' || kind === 'boolValue') return content
    if (kind === 'intValue' || kind === 'doubleValue') return toNumber(content)
    if (kind === 'arrayValue') return list((content as Raw)['values']).map(toValue)
  }
  throw new Error(`not an attribute value: ${JSON.stringify(value)}`)
}

const KINDS = ['sum', 'gauge', 'histogram', 'exponentialHistogram'] as const

function toMetric (raw: Raw, scope: Raw): ReceivedMetric {
  const kind = KINDS.find(known => raw[known] != null)!
  const data = raw[kind] as Raw
  return {
    name: raw['name'],
    unit: raw['unit'] ?? '',
    description: raw['description'] ?? '',
    scope: { name: scope['name'] ?? '', version: scope['version'] ?? '' },
    kind,
    isMonotonic: data['isMonotonic'] === true,
    temporality: toTemporality(data['aggregationTemporality']),
    points: list(data['dataPoints']).map(point => toPoint(point, kind))
  }
}

function toTemporality (value: unknown): ReceivedMetric['temporality'] {
  if (value === 2 || value === 'AGGREGATION_TEMPORALITY_CUMULATIVE') return 'cumulative'
  return value === 1 || value === 'AGGREGATION_TEMPORALITY_DELTA' ? 'delta' : undefined
}

function toPoint (raw: Raw, kind: ReceivedMetric['kind']): ReceivedPoint {
  const point: ReceivedPoint = {
    attributes: toAttributes(raw['attributes']),
    startMs: toNumber(raw['startTimeUnixNano']) / 1e6,
    timeMs: toNumber(raw['timeUnixNano']) / 1e6,
    exemplars: list(raw['exemplars']).map(toExemplar)
  }
  if (kind === 'sum' || kind === 'gauge') {
    // A field that was not sent is there by inheritance, with its default.
    const isDouble = Object.hasOwn(raw, 'asDouble') && raw['value'] !== 'asInt'
    point.isInt = !isDouble
    point.value = toNumber(isDouble ? raw['asDouble'] : raw['asInt'])
    return point
  }
  point.count = toNumber(raw['count'])
  point.sum = toNumber(raw['sum'])
  if (kind === 'histogram') {
    point.bounds = (raw['explicitBounds'] as unknown[]).map(toNumber)
    point.bucketCounts = (raw['bucketCounts'] as unknown[]).map(toNumber)
  } else {
    point.exponential = { scale: toNumber(raw['scale']), zeroCount: toNumber(raw['zeroCount']), positive: toRange(raw['positive']), negative: toRange(raw['negative']) }
  }
  return point
}

function toExemplar (raw: Raw): ReceivedExemplar {
  const isInt = raw['value'] === 'asInt' || !Object.hasOwn(raw, 'asDouble')
  return {
    value: toNumber(isInt ? raw['asInt'] : raw['asDouble']),
    isInt,
    timeMs: toNumber(raw['timeUnixNano']) / 1e6,
    traceId: toHex(raw['traceId']),
    spanId: toHex(raw['spanId']),
    attributes: toAttributes(raw['filteredAttributes'])
  }
}

/** Ids are bytes in protobuf, and hexadecimal digits in JSON. */
function toHex (id: unknown): string {
  return typeof id === 'string' ? id : Buffer.from((id ?? []) as Uint8Array).toString('hex')
}

function toRange (raw: Raw | null | undefined): Range {
  return { offset: toNumber(raw?.['offset']), counts: ((raw?.['bucketCounts'] ?? []) as unknown[]).map(toNumber) }
}
