import { undoable } from '../all-or-nothing.ts'

/** Listens to events by name; returns how to stop. */
export function listen (emitter: NodeJS.EventEmitter, listeners: Readonly<Record<string, (event: never) => void>>): () => void {
  for (const [name, listener] of Object.entries(listeners)) emitter.on(name, listener as (event: unknown) => void)
  return undoable(() => {
    for (const [name, listener] of Object.entries(listeners)) emitter.off(name, listener as (event: unknown) => void)
  })
}
