import { Check } from './checks.ts'
import { shown } from './errors.ts'
import type { OtlpProtocol, PushTarget, ResolvedOtlp } from './export/otlp-options.ts'
import { PROTOCOLS } from './export/otlp-options.ts'

type Environment = Readonly<Record<string, string | undefined>>

const OPTIONS = ['endpoint', 'protocol', 'headers', 'timeoutMs', 'compression', 'intervalMs', 'temporality', 'resource', 'closeTimeoutMs'] as const
const EXPORTERS = ['otlp', 'console', 'prometheus', 'none'] as const
const LONGEST_MS = 86_400_000
const METRICS_PATH = '/v1/metrics'

const option = new Check('FSV_ERR_INVALID_OPTION', 'Option')
const variable = new Check('FSV_ERR_INVALID_OPTION', 'Environment variable')

/** What the environment says, empty values taken for none, as OpenTelemetry's specification has it. */
class Variables {
  readonly #environment: Environment

  constructor (environment: Environment) {
    this.#environment = environment
  }

  get (name: string): string | undefined {
    const value = this.#environment[name]?.trim()
    return value === '' ? undefined : value
  }

  /** The variable of the exporter for metrics, or for all signals: its name and value. */
  exporter (what: string): { name: string, value: string } | undefined {
    for (const name of [`OTEL_EXPORTER_OTLP_METRICS_${what}`, `OTEL_EXPORTER_OTLP_${what}`]) {
      const value = this.get(name)
      if (value !== undefined) return { name, value }
    }
    return undefined
  }
}

/** Whether the environment switches all of OpenTelemetry off. */
export function isSdkDisabled (environment: Environment): boolean {
  const value = new Variables(environment).get('OTEL_SDK_DISABLED')?.toLowerCase()
  if (value === undefined || value === 'false') return false
  return value === 'true' || variable.fail('OTEL_SDK_DISABLED', 'true or false', shown(value))
}

/** The push options over the environment over the defaults, each checked. */
export function resolveOtlp (given: unknown, environment: Environment): ResolvedOtlp {
  const variables = new Variables(environment)
  const options = given === undefined || typeof given === 'boolean' ? {} : option.object('otlp', given, OPTIONS)
  const protocol = resolveProtocol(options.protocol, variables)
  const intervalMs = resolveInterval(options.intervalMs, variables)
  const targets = given === false || isSdkDisabled(environment) ? [] : resolveTargets(given !== undefined, variables)
  checkPairs('OTEL_RESOURCE_ATTRIBUTES', variables.get('OTEL_RESOURCE_ATTRIBUTES'))
  return Object.freeze({
    targets,
    url: resolveUrl(options.endpoint, protocol, variables),
    protocol,
    headers: options.headers === undefined ? headersOf(variables) : option.strings('otlp.headers', options.headers),
    timeoutMs: Math.min(resolveTimeout(options.timeoutMs, variables), intervalMs),
    compression: resolveCompression(options.compression, variables),
    intervalMs,
    isDelta: resolveTemporality(options.temporality, variables) !== 'cumulative',
    resource: resolveResource(options.resource),
    closeTimeoutMs: options.closeTimeoutMs === undefined ? 5_000 : option.integer('otlp.closeTimeoutMs', options.closeTimeoutMs, 1, LONGEST_MS),
    tls: { ca: variables.exporter('CERTIFICATE')?.value, cert: variables.exporter('CLIENT_CERTIFICATE')?.value, key: variables.exporter('CLIENT_KEY')?.value }
  })
}

function resolveTargets (isAsked: boolean, variables: Variables): readonly PushTarget[] {
  const text = variables.get('OTEL_METRICS_EXPORTER')
  const named = text === undefined
    ? []
    : text.split(',').map(name => variable.oneOf('OTEL_METRICS_EXPORTER', name.trim(), EXPORTERS))
  if (isAsked) return ['otlp']
  if (text === undefined) return variables.exporter('ENDPOINT') === undefined ? [] : ['otlp']
  if (named.includes('none') && named.length > 1) variable.fail('OTEL_METRICS_EXPORTER', 'none alone, or a list without it', shown(text))
  return [...new Set(named.filter(name => name === 'otlp' || name === 'console'))]
}

function resolveProtocol (given: unknown, variables: Variables): OtlpProtocol {
  if (given !== undefined) return option.oneOf('otlp.protocol', given, PROTOCOLS)
  const found = variables.exporter('PROTOCOL')
  return found === undefined ? 'http/protobuf' : variable.oneOf(found.name, found.value, PROTOCOLS)
}

function resolveUrl (given: unknown, protocol: OtlpProtocol, variables: Variables): string {
  const isGrpc = protocol === 'grpc'
  if (given !== undefined) return withPath(toUrl(option, 'otlp.endpoint', option.text('otlp.endpoint', given), isGrpc), isGrpc)
  const found = variables.exporter('ENDPOINT')
  if (found === undefined) return isGrpc ? 'http://localhost:4317/' : `http://localhost:4318${METRICS_PATH}`
  const url = toUrl(variable, found.name, found.value, isGrpc)
  return found.name === 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT' ? url.href : withPath(url, isGrpc)
}

/** The URL is not repeated in an error: it may carry a password. For gRPC, a host and port will do. */
function toUrl (check: Check, name: string, given: string, isGrpc: boolean): URL {
  const text = isGrpc && !given.includes('://') ? `http://${given}` : given
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  return check.fail(name, 'a URL that begins with http:// or https://', 'another text')
}

function withPath (url: URL, isGrpc: boolean): string {
  if (!isGrpc && !url.pathname.endsWith(METRICS_PATH)) url.pathname = url.pathname.replace(/\/$/, '') + METRICS_PATH
  return url.href
}

function resolveInterval (given: unknown, variables: Variables): number {
  if (given !== undefined) return option.integer('otlp.intervalMs', given, 1, LONGEST_MS)
  for (const name of ['METRICS_EXPORT_INTERVAL', 'OTEL_METRIC_EXPORT_INTERVAL']) {
    const text = variables.get(name)
    if (text !== undefined) return variable.integer(name, toNumber(text), 1, LONGEST_MS)
  }
  return 10_000
}

function resolveTimeout (given: unknown, variables: Variables): number {
  if (given !== undefined) return option.integer('otlp.timeoutMs', given, 1, LONGEST_MS)
  const found = variables.exporter('TIMEOUT')
  return found === undefined ? 10_000 : variable.integer(found.name, toNumber(found.value), 1, LONGEST_MS)
}

/** The number a text stands for, or the text, for the error to show. */
function toNumber (text: string): unknown {
  return /^\d+$/.test(text) ? Number(text) : text
}

function resolveCompression (given: unknown, variables: Variables): 'none' | 'gzip' {
  if (given !== undefined) return option.oneOf('otlp.compression', given, ['none', 'gzip'])
  const found = variables.exporter('COMPRESSION')
  return found === undefined ? 'none' : variable.oneOf(found.name, found.value, ['none', 'gzip'])
}

function resolveTemporality (given: unknown, variables: Variables): 'cumulative' | 'delta' | 'lowmemory' {
  if (given !== undefined) return option.oneOf('otlp.temporality', given, ['cumulative', 'delta'])
  const name = 'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE'
  const value = variables.get(name)
  return value === undefined ? 'cumulative' : variable.oneOf(name, value.toLowerCase(), ['cumulative', 'delta', 'lowmemory'])
}

function resolveResource (given: unknown): ResolvedOtlp['resource'] {
  if (given === undefined) return {}
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return option.fail('otlp.resource', 'an object of attributes', shown(given))
  for (const [name, value] of Object.entries(given)) {
    if (!['string', 'number', 'boolean'].includes(typeof value)) option.fail(`otlp.resource.${name}`, 'a string, number or boolean', shown(value))
  }
  return Object.freeze({ ...given }) as ResolvedOtlp['resource']
}

/** Headers of both variables, those for metrics over the others. */
function headersOf (variables: Variables): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {}
  for (const name of ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_METRICS_HEADERS']) {
    for (const [key, value] of checkPairs(name, variables.get(name))) headers[key] = value
  }
  return Object.freeze(headers)
}

/** `key=value,key=value`, each URL-encoded (W3C Baggage). What is wrong is not repeated: values may be secrets. */
function checkPairs (name: string, text: string | undefined): [string, string][] {
  const pairs = (text ?? '').split(',').map(pair => pair.trim()).filter(pair => pair !== '')
  return pairs.map(pair => {
    const at = pair.indexOf('=')
    try {
      if (at > 0) return [decodeURIComponent(pair.slice(0, at).trim()), decodeURIComponent(pair.slice(at + 1).trim())]
    } catch { /* Reported below, like a pair without a key. */ }
    return variable.fail(name, 'a list of key=value pairs with commas, URL-encoded', 'a pair that is not one')
  })
}
