import { undoable } from '../all-or-nothing.ts'

/** Listens to events by name, before those who listen already: they may use what an event brings. Returns how to stop. */
export function listen (emitter: NodeJS.EventEmitter, listeners: Readonly<Record<string, (event: never) => void>>): () => void {
  for (const [name, listener] of Object.entries(listeners)) emitter.prependListener(name, listener as (event: unknown) => void)
  return undoable(() => {
    for (const [name, listener] of Object.entries(listeners)) emitter.off(name, listener as (event: unknown) => void)
  })
}
