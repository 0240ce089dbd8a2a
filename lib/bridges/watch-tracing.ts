import type { Traces } from '../series/traces.ts'

/** How often to look whether tracing has begun, in ms: what an application traces from then on has its exemplars this much later. */
const LOOK_MS = 1_000

/** Looks whether the process traces until it does, and keeps nothing alive for it; returns how to stop. */
export function watchTracing (traces: Traces): () => void {
  const timer = setInterval(() => {
    if (traces.look()) clearInterval(timer)
  }, LOOK_MS).unref()
  return () => clearInterval(timer)
}
