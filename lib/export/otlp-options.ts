import type { AttributeValue } from '../series/otlp-identity.ts'

export const PROTOCOLS = ['http/protobuf', 'http/json', 'grpc'] as const

export type OtlpProtocol = typeof PROTOCOLS[number]

/** How metrics are pushed. Each option wins over its environment variables. */
export interface OtlpOptions {
  /**
   * Base URL of the receiver; over HTTP, `/v1/metrics` is appended unless it ends so already.
   * Environment: `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` (as it is), `OTEL_EXPORTER_OTLP_ENDPOINT`. @default 'http://localhost:4318', for grpc 'http://localhost:4317'
   */
  readonly endpoint?: string
  /** Each needs its exporter package. Environment: `OTEL_EXPORTER_OTLP_[METRICS_]PROTOCOL`. @default 'http/protobuf' */
  readonly protocol?: OtlpProtocol
  /** Sent with each push, a token for example. Environment: `OTEL_EXPORTER_OTLP_[METRICS_]HEADERS`. @default {} */
  readonly headers?: Readonly<Record<string, string>>
  /** ms for one push, retries included; never longer than the interval. Environment: `OTEL_EXPORTER_OTLP_[METRICS_]TIMEOUT`. @default 10_000 */
  readonly timeoutMs?: number
  /** Environment: `OTEL_EXPORTER_OTLP_[METRICS_]COMPRESSION`. @default 'none' */
  readonly compression?: 'none' | 'gzip'
  /** ms between pushes. Environment: `METRICS_EXPORT_INTERVAL`, `OTEL_METRIC_EXPORT_INTERVAL`. @default 10_000 */
  readonly intervalMs?: number
  /** `'delta'` pushes what came since the last push that arrived. Environment: `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`. @default 'cumulative' */
  readonly temporality?: 'cumulative' | 'delta'
  /** Attributes of the resource, over `OTEL_RESOURCE_ATTRIBUTES` and what is detected. @default {} */
  readonly resource?: Readonly<Record<string, AttributeValue>>
  /** ms that `app.close()` waits for the last push. @default 5_000 */
  readonly closeTimeoutMs?: number
}

/** Where pushes go. */
export type PushTarget = 'otlp' | 'console'

/** Options, environment and defaults as one. */
export interface ResolvedOtlp {
  /** Empty where nothing is pushed. */
  readonly targets: readonly PushTarget[]
  readonly url: string
  readonly protocol: OtlpProtocol
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly compression: 'none' | 'gzip'
  readonly intervalMs: number
  readonly isDelta: boolean
  readonly resource: Readonly<Record<string, AttributeValue>>
  readonly closeTimeoutMs: number
  /** Paths of PEM files. */
  readonly tls: { readonly ca: string | undefined, readonly cert: string | undefined, readonly key: string | undefined }
}
