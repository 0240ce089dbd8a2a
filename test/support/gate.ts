import { performance } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'

/** A promise that is opened by hand. */
export interface Gate<T = void> {
  promise: Promise<T>
  open: (value: T) => void
}

export function gate<T = void> (): Gate<T> {
  let open!: (value: T) => void
  const promise = new Promise<T>(resolve => { open = resolve })
  return { promise, open }
}

/** Lets the event loop go round until `holds`, or gives up after ten seconds; says whether it held. */
export async function eventually (holds: () => boolean | Promise<boolean>): Promise<boolean> {
  const givenUpMs = performance.now() + 10_000
  while (!await holds()) {
    if (performance.now() > givenUpMs) return false
    await turn()
  }
  return true
}

export { turn }
