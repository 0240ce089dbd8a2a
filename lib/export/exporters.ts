import type { PushMetricExporter } from '@opentelemetry/sdk-metrics'
import { makeCallsEndable } from './endable-calls.ts'
import { makeRetriesEndable } from './endable-retries.ts'
import { loadPackage, requireThrough } from './load-package.ts'
import type { OtlpProtocol, ResolvedOtlp } from './otlp-options.ts'
import type { PushConnections } from './push-connections.ts'
import { sendExemplars } from './send-exemplars.ts'

const PACKAGES: Readonly<Record<OtlpProtocol, string>> = {
  'http/protobuf': '@opentelemetry/exporter-metrics-otlp-proto',
  'http/json': '@opentelemetry/exporter-metrics-otlp-http',
  grpc: '@opentelemetry/exporter-metrics-otlp-grpc'
}

type ExporterClass = new (config: object) => PushMetricExporter

/** OpenTelemetry's own exporter for a protocol, from its own package. Told why, where it cannot send exemplars. */
export async function createOtlpExporter ({ url, protocol, headers, timeoutMs, compression }: ResolvedOtlp, connections: PushConnections, onNoExemplars: (reason: string) => void): Promise<PushMetricExporter> {
  const name = PACKAGES[protocol]
  const { OTLPMetricExporter } = await loadPackage(name, `Pushing metrics by OTLP over ${protocol} (otlp: false leaves it off)`)
  const shared = { url, compression, timeoutMillis: timeoutMs }
  const config = protocol === 'grpc' ? { ...shared, metadata: toMetadata(name, headers) } : { ...shared, headers, httpAgentOptions: connections.createAgent }
  const exporter = new (OTLPMetricExporter as ExporterClass)(config)
  sendExemplars(exporter, protocol, onNoExemplars)
  if (protocol === 'grpc') connections.onClose = makeCallsEndable(exporter)
  else connections.onCut = makeRetriesEndable(exporter)
  return exporter
}

/** Headers as the gRPC library wants them, which only the exporter depends on. */
function toMetadata (exporter: string, headers: Readonly<Record<string, string>>): object {
  const { Metadata } = requireThrough([exporter, '@opentelemetry/otlp-grpc-exporter-base', '@grpc/grpc-js'])
  const metadata = new (Metadata as new () => { set (key: string, value: string): void })()
  for (const [key, value] of Object.entries(headers)) metadata.set(key, value)
  return metadata
}
