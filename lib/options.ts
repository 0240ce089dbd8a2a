import type { FastifyRequest } from 'fastify'
import type { MeterBridge } from './bridges/meter-bridge.ts'
import type { PromRegistry } from './bridges/prom-registry.ts'
import type { OtlpOptions, ResolvedOtlp } from './export/otlp-options.ts'
import type { HttpBuckets, HttpLabelNames } from './record/http-metrics.ts'
import type { SeriesLimits } from './series/cardinality.ts'
import type { Registry } from './series/registry.ts'

/** A user name and its password (RFC 7617). */
export interface BasicCredentials {
  readonly username: string
  readonly password: string
}

/** Who may scrape. `bearer`, `basic` and `custom`: one that holds is enough. `allow` must hold besides, or alone. */
export interface AuthOptions {
  /** Bearer tokens (RFC 6750); several while one is rotated. Environment: `METRICS_AUTH_TOKEN`, one token or several with commas. */
  readonly bearer?: string | readonly string[]
  readonly basic?: BasicCredentials | readonly BasicCredentials[]
  /** Addresses or CIDR ranges (`10.0.0.0/8`, `::1`) that may ask at all; others get 403. */
  readonly allow?: string | readonly string[]
  /** The application's own decision: only `true` lets in. What it throws is logged without its message, and answered with 500. */
  readonly custom?: (request: FastifyRequest) => boolean | Promise<boolean>
}

/** How many scrapes one client may make. */
export interface RateLimitOptions {
  /** @default 60 */
  readonly max?: number
  /** ms. @default 60_000 */
  readonly timeWindow?: number
}

/** A listener of the endpoint's own. */
export interface ListenOptions {
  /** 0 takes a free port. */
  readonly port: number
  /** @default '127.0.0.1' */
  readonly host?: string
}

/** What the rate-limiter set is told by the application. */
export interface LimiterOptions {
  /** Whether a request's client has said who it is: label `authenticated`. @default whether there is an Authorization header */
  readonly authenticated?: (request: FastifyRequest) => boolean
  /** Labels on `rate_limit_allowed_total` and `rate_limit_rejected_total` besides; they count towards the series limits. */
  readonly labels?: {
    readonly names: readonly string[]
    readonly values: (request: FastifyRequest) => Readonly<Record<string, string>>
  }
}

/** Options of the plugin. They win over the environment, the environment wins over the defaults. */
export interface VitalsOptions {
  /**
   * `false`: no hook is added, the interface stays and records nothing; `true` records whatever the ways out, for `render()`, `read()` and
   * `promRegistry`. Environment: `METRICS_ENABLED`. @default whether there is a way out: the endpoint, a push, a `registry` to share, a meter bridge
   */
  readonly enabled?: boolean
  /** Whether metrics are served for Prometheus to scrape. @default true */
  readonly endpoint?: boolean
  /** Who may scrape; `false` serves everybody. No default: the plugin refuses to start undecided. */
  readonly auth?: false | AuthOptions
  /** Environment: `METRICS_PATH`. @default '/v1/metrics' */
  readonly path?: string
  /** Serves the endpoint from a listener of its own instead of the application's. */
  readonly listen?: ListenOptions
  /** @default { max: 60, timeWindow: 60_000 } */
  readonly rateLimit?: false | RateLimitOptions
  /** What is seen of @fastify/rate-limit; `false` leaves it alone. @default {} */
  readonly limiter?: false | LimiterOptions
  /** Labels of every series. Environment: `METRICS_LABEL_<NAME>` sets label `<name>`. @default {} */
  readonly constantLabels?: Readonly<Record<string, string>>
  /** Other names for the labels of the HTTP set. @default { method: 'method', endpoint: 'endpoint', status: 'status', reason: 'reason' } */
  readonly labels?: Partial<HttpLabelNames>
  /** Bounds of the HTTP histograms. */
  readonly buckets?: Partial<HttpBuckets>
  /** @default { seriesPerMetric: 2_000, series: 10_000 } */
  readonly limits?: Partial<SeriesLimits>
  /** Endpoint labels (route templates) that are not counted: exact, or by pattern. `unmatched` and `malformed` always are. @default [] */
  readonly ignore?: readonly (string | RegExp)[]
  /** A store to share with other Fastify instances of the process; it brings its own limits and constant labels. @default a new one */
  readonly registry?: Registry
  /**
   * Pushes the metrics to an OpenTelemetry receiver; `false` never does. Environment: `OTEL_METRICS_EXPORTER`,
   * `OTEL_EXPORTER_OTLP_ENDPOINT` and the other standard variables. @default pushes if the environment names an endpoint or exporter
   */
  readonly otlp?: boolean | OtlpOptions
  /**
   * Shows what is recorded through `@opentelemetry/api`: `true` registers a MeterProvider if the process has none; the
   * bridge that `createMeterBridge()` makes joins the application's own SDK. @default true, unless `OTEL_SDK_DISABLED` is set
   */
  readonly meters?: boolean | MeterBridge
  /** prom-client registries to show as well. @default [] */
  readonly registries?: readonly PromRegistry[]
  /** `'semconv'` shows Prometheus the OpenTelemetry names. @default 'prometheus' */
  readonly naming?: Naming
  /** Whether `/v1/metrics` tells by labels `otel_scope_*` who recorded what: of OpenTelemetry meters, and of all under `naming: 'semconv'`. @default true */
  readonly scopeLabels?: boolean
  /** Whether `/v1/metrics` appends `_total` to names of counters that lack it: of OpenTelemetry meters, and of all under `naming: 'semconv'`. @default true */
  readonly totalSuffix?: boolean
  /** Attaches the trace of the active span to counters and histogram buckets. @default false */
  readonly exemplars?: boolean
  /** Counts the HTTP requests that the process makes: by `fetch`, undici, `node:http` and `node:https`. @default false */
  readonly outbound?: boolean
}

/** Which names Prometheus is shown. */
export type Naming = 'prometheus' | 'semconv'

/** The choices of how Prometheus is shown names. */
export type ShownNames = Pick<ResolvedOptions, 'naming' | 'scopeLabels' | 'totalSuffix'>

/** What a route may ask for in `config.vitals`; `false` leaves it uncounted. */
export type RouteConfig = false | {
  /** The endpoint label. @default the route's template */
  readonly endpoint?: string
  readonly buckets?: Partial<HttpBuckets>
  /** Labels that all HTTP series of the route carry besides. */
  readonly labels?: Readonly<Record<string, string>>
}

/** Options, environment and defaults as one. */
export interface ResolvedOptions {
  readonly enabled: boolean
  /** Nothing is recorded because nothing would show it, not because it was asked for. */
  readonly isWithoutWayOut: boolean
  readonly endpoint: boolean
  readonly auth: false | ResolvedAuth
  readonly path: string
  readonly listen: Required<ListenOptions> | undefined
  readonly rateLimit: false | Required<RateLimitOptions>
  readonly limiter: false | ResolvedLimiter
  readonly constantLabels: Readonly<Record<string, string>>
  readonly labels: HttpLabelNames
  readonly buckets: HttpBuckets
  readonly limits: SeriesLimits
  readonly ignore: readonly (string | RegExp)[]
  readonly registry: Registry | undefined
  readonly otlp: ResolvedOtlp
  readonly meters: boolean | MeterBridge
  readonly registries: readonly PromRegistry[]
  readonly naming: Naming
  readonly scopeLabels: boolean
  readonly totalSuffix: boolean
  readonly exemplars: boolean
  readonly outbound: boolean
}

/** {@link LimiterOptions} with every choice made. */
export interface ResolvedLimiter {
  readonly authenticated: LimiterOptions['authenticated'] | undefined
  readonly labels: LimiterOptions['labels'] | undefined
}

/** {@link AuthOptions} with lists where one may be given alone. */
export interface ResolvedAuth {
  readonly bearer: readonly string[]
  readonly basic: readonly BasicCredentials[]
  readonly allow: readonly string[]
  readonly custom: AuthOptions['custom'] | undefined
}
