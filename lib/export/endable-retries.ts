import { setTimeout } from 'node:timers/promises'
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics'
import { delegateOf } from './exporter-insides.ts'

/**
 * Has an exporter over HTTP wait for its next try in a way that keeps no process alive and can be ended, and returns how. What was being sent
 * is not tried again then. Where an exporter is not as expected, it keeps its own, which does and cannot.
 */
export function makeRetriesEndable (exporter: PushMetricExporter): () => void {
  const transport = delegateOf(exporter)?._transport
  if (typeof transport?.retry !== 'function') return () => {}
  let sending = new AbortController()
  const send = transport.send.bind(transport)
  const retry = transport.retry.bind(transport)
  transport.send = async (data, timeoutMs) => {
    sending = new AbortController()
    return await send(data, timeoutMs)
  }
  transport.retry = async (data, timeoutMs, inMs) => {
    await setTimeout(inMs, undefined, { signal: sending.signal, ref: false })
    return await retry(data, timeoutMs, 0)
  }
  return () => sending.abort()
}
