import type { Registry } from '../../series/registry.ts'
import type { Traces } from '../../series/traces.ts'
import type { OwnedRequest } from './node-http.ts'
import { watchNodeHttp } from './node-http.ts'
import { OutboundRecorder } from './outbound-recorder.ts'
import { watchUndici } from './undici.ts'

/** What the application decides. */
export interface OutboundSetup {
  /** Whether durations are kept by error too, which OpenTelemetry wants as `error.type`. */
  readonly withErrorTypes: boolean
  /** Where a request's trace is found; `undefined` where none is wanted. */
  readonly traces: Traces | undefined
  /** Whether a request of `node:http` is part of our own pushes, which are not counted. */
  readonly isOwn: (request: OwnedRequest) => boolean
}

interface Shared {
  readonly recorder: OutboundRecorder
  readonly stops: readonly (() => void)[]
  users: number
}

const sharedByRegistry = new WeakMap<Registry, Shared>()

/**
 * Counts the HTTP requests that the process makes into a store, once however many applications share the store; the last
 * to detach ends it. Returns how to detach.
 */
export function attachOutbound (registry: Registry, { withErrorTypes, traces, isOwn }: OutboundSetup): () => void {
  let shared = sharedByRegistry.get(registry)
  if (shared === undefined) {
    const recorder = new OutboundRecorder(registry, traces)
    shared = { recorder, stops: [watchUndici(recorder), watchNodeHttp(recorder, isOwn)], users: 0 }
    sharedByRegistry.set(registry, shared)
  }
  const { recorder, stops } = shared
  const own = shared
  own.users++
  if (withErrorTypes) recorder.metrics.keepErrorTypes()
  return () => {
    if (--own.users > 0) return
    sharedByRegistry.delete(registry)
    for (const stop of stops) stop()
    recorder.close()
  }
}
