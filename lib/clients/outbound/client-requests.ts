import { Agent, ClientRequest } from 'node:http'

/** Where a request goes, as its constructor resolved it. */
export interface ClientRequestTarget {
  readonly host?: string
  readonly port?: number | string
}

/** Told of a request in its constructor. */
export interface ClientRequestListener {
  /** May be called more than once for a request; without the target where only a socket was found for it. */
  began (request: ClientRequest, target: ClientRequestTarget | undefined): void
  /** The constructor throws. */
  failed (request: ClientRequest, error: unknown): void
}

type Method = (this: never, ...args: never[]) => unknown
type Prototype = Record<string, Method>

/** A method that is tapped: `over` makes what takes its place. */
interface Tap {
  readonly prototype: Prototype
  readonly name: string
  readonly over: (original: Method) => Method
}

const TAPS: readonly Tap[] = [
  {
    prototype: Agent.prototype as unknown as Prototype,
    name: 'addRequest',
    over: original => function addRequest (this: never, request: ClientRequest, target: unknown, _port: unknown, _localAddress: unknown) {
      for (const listener of listeners) listener.began(request, typeof target === 'object' ? target as ClientRequestTarget : undefined)
      try {
        return original.apply(this, arguments as never)
      } catch (error) {
        for (const listener of listeners) listener.failed(request, error)
        throw error
      }
    }
  },
  {
    prototype: ClientRequest.prototype as unknown as Prototype,
    name: 'onSocket',
    over: original => function onSocket (this: ClientRequest, _socket: unknown, _error: unknown) {
      for (const listener of listeners) listener.began(this, undefined)
      return original.apply(this as never, arguments as never)
    }
  }
]

/** Whether a version of Node tells of each request that is created, by a channel: then its socket tells nothing new. */
export function tellsOfCreation (version: string): boolean {
  const [major, minor] = version.split('.').map(Number) as [number, number]
  return major > 23 || (major === 23 && minor >= 2) || (major === 22 && minor >= 12)
}

const USED = TAPS.filter(({ name }) => name === 'addRequest' || !tellsOfCreation(process.versions.node))

let listeners: readonly ClientRequestListener[] = []
let uninstall: (() => void) | undefined

/**
 * Hears of each request of `node:http` and `node:https` while it is made: no channel tells where it goes, and in old versions none
 * tells that it was created. Returns how to stop; the last to stop leaves no trace.
 */
export function onClientRequest (listener: ClientRequestListener): () => void {
  listeners = [...listeners, listener]
  uninstall ??= install()
  return () => {
    listeners = listeners.filter(other => other !== listener)
    if (listeners.length === 0) uninstall!()
  }
}

function install (): () => void {
  const taps = USED.map(({ prototype, name, over }) => {
    const original = prototype[name]!
    const tap = prototype[name] = over(original)
    return { prototype, name, original, tap }
  })
  return () => {
    // Somebody else's tap over ours would be lost: ours stays under it then, and hears nothing.
    if (taps.some(({ prototype, name, tap }) => prototype[name] !== tap)) return
    for (const { prototype, name, original } of taps) prototype[name] = original
    uninstall = undefined
  }
}
