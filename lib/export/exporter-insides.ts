import type { ClientHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { PushMetricExporter, ResourceMetrics } from '@opentelemetry/sdk-metrics'

/** Where all of OpenTelemetry's exporters from 0.204 to 0.301 keep what they have no option for. Each member may be gone in the next. */
export interface ExporterDelegate {
  _serializer?: Serializer
  readonly _transport?: Transport
}

export interface Serializer {
  serializeRequest (metrics: ResourceMetrics): Uint8Array | undefined
}

/** Of HTTP with `retry`, of gRPC with a client, which comes with the first message. */
export interface Transport {
  send: (data: Uint8Array, timeoutMs: number) => Promise<unknown>
  retry?: (data: Uint8Array, timeoutMs: number, inMs: number) => Promise<unknown>
  _client?: GrpcClient | undefined
}

export interface GrpcClient {
  export: (...call: unknown[]) => GrpcCall
  getChannel? (): { readonly internalChannel?: GrpcChannel }
}

export interface GrpcCall {
  cancel (): void
  once (event: 'status', listener: () => void): unknown
  readonly call?: { readonly call?: { readonly deadlineTimer?: NodeJS.Timeout | null } }
}

export interface GrpcChannel {
  callRefTimerRef?: () => void
  subchannelPool?: SubchannelPool
}

/** A connection of a channel: what is used of node:http2's. */
export interface GrpcSession {
  ref: () => void
  request: (...call: unknown[]) => ClientHttp2Stream
}

/** Makes the connections of a channel. */
export interface SubchannelPool {
  getOrCreateSubchannel: (...subchannel: unknown[]) => Subchannel
}

export interface Subchannel {
  readonly connector?: {
    connect: (...target: unknown[]) => Promise<{ readonly session?: GrpcSession }>
    tcpConnect?: (address: object, ...target: unknown[]) => Promise<Socket>
  }
  readonly secureConnector?: { connect: (socket: Socket) => Promise<unknown> }
}

/** The part of an exporter that does the work, if it is where it is looked for. */
export function delegateOf (exporter: PushMetricExporter): ExporterDelegate | undefined {
  return (exporter as { readonly _delegate?: ExporterDelegate })._delegate
}
