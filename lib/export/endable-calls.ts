import type { PushMetricExporter } from '@opentelemetry/sdk-metrics'
import type { GrpcCall, GrpcClient } from './exporter-insides.ts'
import { delegateOf } from './exporter-insides.ts'
import { releaseCall, releaseChannel } from './released-channel.ts'

/**
 * Has the calls of a gRPC exporter keep no process alive, remembers those under way, and returns how to cancel them. Where an exporter
 * is not as expected, they hold it and end by their own timeout.
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
        if (typeof made?.export !== 'function') return
        remember(made, calls)
        releaseChannel(made)
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
    releaseCall(call)
    calls.add(call)
    call.once('status', () => calls.delete(call))
    return call
  }
}
