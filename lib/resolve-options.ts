import { Check } from './checks.ts'
import { shown, VitalsError } from './errors.ts'
import type { ResolvedAuth, ResolvedLimiter, ResolvedOptions, VitalsOptions } from './options.ts'
import { SIZE_BUCKETS } from './record/http-metrics.ts'
import { MeterBridge } from './bridges/meter-bridge.ts'
import { activeSpans } from './bridges/active-span.ts'
import type { PromRegistry } from './bridges/prom-registry.ts'
import { isPromRegistry } from './bridges/prom-registry.ts'
import { isSdkDisabled, resolveOtlp } from './resolve-otlp.ts'
import { DEFAULT_LIMITS } from './series/cardinality.ts'
import { DURATION_BUCKETS } from './series/histogram.ts'
import { RESERVED_CONSTANT_LABELS } from './series/names.ts'
import type { RegistryOptions } from './series/registry.ts'
import { Registry } from './series/registry.ts'
import { Traces } from './series/traces.ts'

type Environment = Readonly<Record<string, string | undefined>>

const OPTIONS = ['enabled', 'endpoint', 'auth', 'path', 'listen', 'rateLimit', 'limiter', 'constantLabels', 'labels', 'buckets', 'limits', 'ignore', 'registry', 'otlp', 'meters', 'registries', 'naming', 'scopeLabels', 'totalSuffix', 'exemplars', 'outbound'] as const
const LABEL_VARIABLE = /^METRICS_LABEL_(.+)$/
const MOST_SERIES = 10_000_000
const LONGEST_WINDOW_MS = 86_400_000

const root = new Check('FSV_ERR_INVALID_OPTION', 'The plugin\'s')
const option = new Check('FSV_ERR_INVALID_OPTION', 'Option')
const variable = new Check('FSV_ERR_INVALID_OPTION', 'Environment variable')

/** Options over environment over defaults, each checked; throws a {@link VitalsError} that names the first wrong one. */
export function resolveOptions (given: VitalsOptions, environment: Environment): ResolvedOptions {
  // Fastify adds its own registration options (prefix, logLevel, …): they are not ours to judge.
  const { prefix: _prefix, logLevel: _logLevel, logSerializers: _logSerializers, ...ours } = given as Record<string, unknown>
  const { enabled, endpoint, auth, path, listen, rateLimit = {}, limiter = {}, constantLabels = {}, labels = {}, buckets = {}, limits = {}, ignore = [], registry, otlp, meters, registries = [], naming = 'prometheus', scopeLabels = true, totalSuffix = true, exemplars = false, outbound = false } = root.object('options', ours, OPTIONS)
  const wish = enabled === undefined ? toBoolean('METRICS_ENABLED', environment['METRICS_ENABLED']) : option.boolean('enabled', enabled)
  const hasEndpoint = endpoint === undefined || option.boolean('endpoint', endpoint)
  const push = resolveOtlp(wish === false || (otlp === undefined && isPushedElsewhere(meters)) ? false : otlp, environment)
  const isShown = hasEndpoint || push.targets.length > 0 || registry !== undefined || meters instanceof MeterBridge
  const isEnabled = wish ?? isShown
  const httpLabels = resolveLabels(labels)
  const shared = resolveRegistry(registry, ours)
  return Object.freeze({
    enabled: isEnabled,
    isWithoutWayOut: wish === undefined && !isShown,
    endpoint: hasEndpoint,
    auth: isEnabled && hasEndpoint ? resolveAuth(auth, environment) : false,
    path: resolvePath(path, environment),
    listen: listen === undefined ? undefined : resolveListen(listen, hasEndpoint),
    rateLimit: rateLimit === false ? false : resolveRateLimit(rateLimit),
    limiter: limiter === false ? false : resolveLimiter(limiter),
    constantLabels: resolveConstantLabels(constantLabels, environment, Object.values(httpLabels)),
    labels: httpLabels,
    buckets: resolveBuckets(buckets),
    limits: resolveLimits(limits),
    ignore: resolveIgnore(ignore),
    registry: shared,
    otlp: push,
    meters: isEnabled && resolveMeters(meters, environment),
    registries: resolveRegistries(registries),
    naming: option.oneOf('naming', naming, ['prometheus', 'semconv']),
    scopeLabels: option.boolean('scopeLabels', scopeLabels),
    totalSuffix: option.boolean('totalSuffix', totalSuffix),
    exemplars: shared === undefined ? option.boolean('exemplars', exemplars) : shared.traces !== undefined,
    outbound: option.boolean('outbound', outbound)
  })
}

/** Whether an SDK of the application's own pushes the store: it reads the same environment. */
function isPushedElsewhere (meters: unknown): boolean {
  return meters instanceof MeterBridge && meters.isPushed
}

function toBoolean (name: string, text: string | undefined): boolean | undefined {
  if (text === undefined || text === '') return undefined
  if (/^(?:true|1|yes|on)$/i.test(text)) return true
  if (/^(?:false|0|no|off)$/i.test(text)) return false
  return variable.fail(name, 'true or false', shown(text))
}

/** A token that a header can carry: visible ASCII (RFC 6750 allows less, its users more). */
function toToken (check: Check, name: string, token: unknown): string {
  const text = check.secret(name, token)
  return /^[!-~]+$/.test(text) ? text : check.fail(name, 'made of visible ASCII characters, without blanks or line ends', 'other characters')
}

/** One or several, never none: an empty list would quietly mean no restriction. */
function filled (name: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value) && value.length === 0) option.fail(name, 'left out or a list that is not empty', '[]')
  return Array.isArray(value) ? value : [value]
}

function resolveAuth (auth: unknown, environment: Environment): false | ResolvedAuth {
  if (auth === false) return false
  const tokens = (environment['METRICS_AUTH_TOKEN'] ?? '').split(',').map(token => token.trim()).filter(token => token !== '')
  for (const token of tokens) toToken(variable, 'METRICS_AUTH_TOKEN', token)
  if (auth === undefined) {
    if (tokens.length > 0) return { bearer: tokens, basic: [], allow: [], custom: undefined }
    throw new VitalsError('FSV_ERR_AUTH_UNDECIDED',
      'Nobody has decided who may read the metrics. Set option auth ({ bearer: token }, { basic }, { allow } or { custom }) or environment variable METRICS_AUTH_TOKEN; auth: false serves them to everybody')
  }
  const { bearer, basic, allow, custom } = option.object('auth', auth, ['bearer', 'basic', 'allow', 'custom'])
  const resolved = {
    bearer: bearer === undefined ? tokens : filled('auth.bearer', bearer).map(token => toToken(option, 'auth.bearer', token)),
    basic: basic === undefined
      ? []
      : filled('auth.basic', basic).map(pair => {
        const { username, password } = option.object('auth.basic', pair, ['username', 'password'])
        const name = option.text('auth.basic.username', username)
        if (name.includes(':')) option.fail('auth.basic.username', 'without a colon (RFC 7617)', shown(name))
        return { username: name, password: option.secret('auth.basic.password', password) }
      }),
    allow: allow === undefined ? [] : filled('auth.allow', allow).map(range => option.text('auth.allow', range)),
    custom: custom as ResolvedAuth['custom']
  }
  if (custom !== undefined && typeof custom !== 'function') option.fail('auth.custom', 'a function', shown(custom))
  if (resolved.bearer.length + resolved.basic.length + resolved.allow.length === 0 && custom === undefined) {
    option.fail('auth', 'false, or an object with at least one bearer token, basic pair, allowed address or custom function', 'none of them')
  }
  return resolved
}

function resolvePath (path: unknown, environment: Environment): string {
  const fromEnvironment = environment['METRICS_PATH'] ?? ''
  const isOption = path !== undefined || fromEnvironment === ''
  const value = path !== undefined ? path : isOption ? '/v1/metrics' : fromEnvironment
  if (typeof value === 'string' && /^\/[^\s?#:*]*$/.test(value)) return value
  return (isOption ? option : variable).fail(isOption ? 'path' : 'METRICS_PATH', 'a path that begins with / and has no parameter, query or white space', shown(value))
}

function resolveListen (listen: unknown, hasEndpoint: boolean): NonNullable<ResolvedOptions['listen']> {
  if (!hasEndpoint) option.fail('listen', 'left out where endpoint is false: there is nothing to serve', 'both')
  const { port, host } = option.object('listen', listen, ['port', 'host'])
  return { port: option.integer('listen.port', port, 0, 65_535), host: host === undefined ? '127.0.0.1' : option.text('listen.host', host) }
}

function resolveRateLimit (rateLimit: unknown): Exclude<ResolvedOptions['rateLimit'], false> {
  const { max = 60, timeWindow = 60_000 } = option.object('rateLimit', rateLimit, ['max', 'timeWindow'])
  return { max: option.integer('rateLimit.max', max, 1, 1_000_000), timeWindow: option.integer('rateLimit.timeWindow', timeWindow, 1, LONGEST_WINDOW_MS) }
}

function resolveLimiter (limiter: unknown): Exclude<ResolvedOptions['limiter'], false> {
  const { authenticated, labels } = option.object('limiter', limiter, ['authenticated', 'labels'])
  if (authenticated !== undefined && typeof authenticated !== 'function') option.fail('limiter.authenticated', 'a function of the request', shown(authenticated))
  return { authenticated: authenticated as ResolvedLimiter['authenticated'], labels: labels === undefined ? undefined : resolveLimiterLabels(labels) }
}

function resolveLimiterLabels (labels: unknown): ResolvedLimiter['labels'] {
  const { names, values } = option.object('limiter.labels', labels, ['names', 'values'])
  if (!Array.isArray(names) || names.length === 0) return option.fail('limiter.labels.names', 'an array of one or more label names', shown(names))
  const taken = ['endpoint', 'group', 'reason']
  names.forEach((name, i) => {
    option.labelName('limiter.labels.names', name)
    if (taken.includes(name) || names.indexOf(name) < i) option.fail('limiter.labels.names', `different names, other than ${taken.join(', ')}`, name)
  })
  if (typeof values !== 'function') return option.fail('limiter.labels.values', 'a function of the request that gives a value for each name', shown(values))
  return { names: Object.freeze([...names]), values: values as NonNullable<ResolvedLimiter['labels']>['values'] }
}

function resolveConstantLabels (given: unknown, environment: Environment, taken: readonly string[]): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {}
  for (const [name, value] of Object.entries(environment)) {
    const label = LABEL_VARIABLE.exec(name)?.[1]
    if (label !== undefined && value !== undefined && value !== '') labels[toConstantLabel(variable, name, label.toLowerCase(), taken)] = value
  }
  for (const [name, value] of Object.entries(option.strings('constantLabels', given))) labels[toConstantLabel(option, 'constantLabels', name, taken)] = value
  return Object.freeze(labels)
}

function toConstantLabel (check: Check, subject: string, name: string, taken: readonly string[]): string {
  check.labelName(subject, name)
  const used = [...taken, ...RESERVED_CONSTANT_LABELS]
  return used.includes(name) ? check.fail(subject, `another name than ${used.join(', ')}: metrics use those themselves`, name) : name
}

function resolveLabels (labels: unknown): ResolvedOptions['labels'] {
  const resolved = { method: 'method', endpoint: 'endpoint', status: 'status', reason: 'reason' }
  const given = option.object('labels', labels, ['method', 'endpoint', 'status', 'reason'])
  for (const [name, value] of Object.entries(given)) resolved[name as keyof typeof resolved] = option.labelName(`labels.${name}`, value)
  if (new Set(Object.values(resolved)).size < 4) option.fail('labels', 'four different names', Object.values(resolved).join(', '))
  return resolved
}

function resolveBuckets (buckets: unknown): ResolvedOptions['buckets'] {
  const { duration = DURATION_BUCKETS, size = SIZE_BUCKETS } = option.object('buckets', buckets, ['duration', 'size'])
  return { duration: option.bounds('buckets.duration', duration), size: option.bounds('buckets.size', size) }
}

function resolveLimits (limits: unknown): ResolvedOptions['limits'] {
  const { seriesPerMetric = DEFAULT_LIMITS.seriesPerMetric, series = DEFAULT_LIMITS.series } = option.object('limits', limits, ['seriesPerMetric', 'series'])
  return {
    seriesPerMetric: option.integer('limits.seriesPerMetric', seriesPerMetric, 1, MOST_SERIES),
    series: option.integer('limits.series', series, 1, MOST_SERIES)
  }
}

function resolveIgnore (ignore: unknown): ResolvedOptions['ignore'] {
  if (!Array.isArray(ignore) || !ignore.every(entry => typeof entry === 'string' || entry instanceof RegExp)) {
    return option.fail('ignore', 'an array of endpoint labels (strings) and patterns (RegExp)', shown(ignore))
  }
  return Object.freeze([...ignore])
}

function resolveRegistry (registry: unknown, { limits, constantLabels, exemplars }: Readonly<Record<string, unknown>>): Registry | undefined {
  if (registry === undefined) return undefined
  if (!(registry instanceof Registry)) return option.fail('registry', 'a registry made by createRegistry() or taken from app.vitals.registry', shown(registry))
  if (limits !== undefined) option.fail('limits', 'left out where registry is given: a registry brings its own', 'both')
  if (constantLabels !== undefined) option.fail('constantLabels', 'left out where registry is given: a registry brings its own', 'both')
  if (exemplars !== undefined) option.fail('exemplars', 'left out where registry is given: createRegistry({ exemplars: true }) makes one that keeps them', 'both')
  return registry
}

function resolveMeters (meters: unknown, environment: Environment): ResolvedOptions['meters'] {
  if (isSdkDisabled(environment)) return false
  if (meters === undefined || meters instanceof MeterBridge) return meters ?? true
  return typeof meters === 'boolean' ? meters : option.fail('meters', 'true, false, or a bridge made by createMeterBridge()', shown(meters))
}

function resolveRegistries (registries: unknown): readonly PromRegistry[] {
  if (!Array.isArray(registries) || !registries.every(isPromRegistry)) {
    return option.fail('registries', 'an array of prom-client registries', Array.isArray(registries) ? 'something else among them' : shown(registries))
  }
  return Object.freeze([...registries])
}

/** How a store is made for several Fastify instances. */
export interface SharedRegistryOptions extends Omit<RegistryOptions, 'traces'> {
  /** Attaches the trace of the active span to counters and histogram buckets. @default false */
  readonly exemplars?: boolean
}

/**
 * A store that several Fastify instances may share: give it to each as option `registry`.
 * Throws `FSV_ERR_INVALID_OPTION` where an option is wrong.
 */
export function createRegistry (options: SharedRegistryOptions = {}): Registry {
  const { limits = {}, constantLabels = {}, recording = true, exemplars = false } = new Check('FSV_ERR_INVALID_OPTION', 'The registry\'s').object('options', options, ['limits', 'constantLabels', 'recording', 'exemplars'])
  return new Registry({
    limits: resolveLimits(limits),
    constantLabels: resolveConstantLabels(constantLabels, {}, []),
    recording: option.boolean('recording', recording),
    ...(option.boolean('exemplars', exemplars) && { traces: new Traces(activeSpans) })
  })
}
