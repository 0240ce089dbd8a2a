import type { PushMetricExporter } from '@opentelemetry/sdk-metrics'
import type { GrpcCall, GrpcClient } from './exporter-insides.ts'
import { delegateOf } from './exporter-insides.ts'

/**
 * Remembers the calls that a gRPC exporter has under way, and returns how to cancel them. Where an exporter is not as expected,
 * they end by their own timeout.
 */
export function makeCallsEndable (exporter: PushMetricExporter): () => void {
  const transport = delegateOf(exporter)?._transport
  const calls = new Set<GrpcCall>()
  let client: GrpcClient | undefined
  if (transport !== undefined) {
    Object.defineProperty(transport, '_client', {
      get: () => client,
      set: (made: GrpcClient | undefined) => {
        client = made
        if (typeof made?.export === 'function') remember(made, calls)
      }
    })
  }
  return () => {
    for (const call of calls) call.cancel()
  }
}

function remember (client: GrpcClient, calls: Set<GrpcCall>): void {
  const send = client.export.bind(client)
  client.export = (...args) => {
    const call = send(...args)
    calls.add(call)
    call.once('status', () => calls.delete(call))
    return call
  }
}
