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
  /** The constructor throws, or there is no socket for it. */
  failed (request: ClientRequest, error: unknown): void
}

type AddRequest = (this: Agent, request: ClientRequest, target: unknown, port: unknown, localAddress: unknown) => unknown
type OnSocket = (this: ClientRequest, socket: unknown, error: unknown) => unknown

const agentPrototype = Agent.prototype as Agent & { addRequest: AddRequest }
const requestPrototype = ClientRequest.prototype as unknown as { onSocket: OnSocket }

let listeners: readonly ClientRequestListener[] = []
let uninstall: (() => void) | undefined

/**
 * Hears of each request of `node:http` and `node:https` while it is made. No channel tells where it goes, and before
 * Node 22.12 none tells that it was created. Returns how to stop; the last to stop leaves no trace.
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
  const { addRequest } = agentPrototype
  const { onSocket } = requestPrototype
  const taps = {
    addRequest (this: Agent, request: ClientRequest, target: unknown, _port: unknown, _localAddress: unknown) {
      for (const listener of listeners) listener.began(request, typeof target === 'object' ? target as ClientRequestTarget : undefined)
      try {
        return addRequest.apply(this, arguments as never)
      } catch (error) {
        for (const listener of listeners) listener.failed(request, error)
        throw error
      }
    },
    onSocket (this: ClientRequest, _socket: unknown, error: unknown) {
      for (const listener of listeners) {
        listener.began(this, undefined)
        // No channel tells of a proxy that refuses a tunnel to Node's own agent.
        if (error != null) listener.failed(this, error)
      }
      return onSocket.apply(this, arguments as never)
    }
  }
  agentPrototype.addRequest = taps.addRequest
  requestPrototype.onSocket = taps.onSocket
  return () => {
    // Somebody else's tap over ours would be lost: ours stays under it then, and hears nothing.
    if (agentPrototype.addRequest !== taps.addRequest || requestPrototype.onSocket !== taps.onSocket) return
    agentPrototype.addRequest = addRequest
    requestPrototype.onSocket = onSocket
    uninstall = undefined
  }
}
