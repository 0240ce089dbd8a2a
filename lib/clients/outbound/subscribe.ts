import diagnosticsChannel from 'node:diagnostics_channel'

type Listener = (message: unknown) => void

/** Listens to diagnostics channels by name; returns how to stop. */
export function subscribe (listeners: Readonly<Record<string, (message: never) => void>>): () => void {
  for (const [name, listener] of Object.entries(listeners)) diagnosticsChannel.subscribe(name, listener as Listener)
  return () => {
    for (const [name, listener] of Object.entries(listeners)) diagnosticsChannel.unsubscribe(name, listener as Listener)
  }
}
