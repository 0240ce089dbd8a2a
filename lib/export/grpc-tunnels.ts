import http from 'node:http'
import type { ClientRequest } from 'node:http'
import { yieldPush } from './lone-pushes.ts'

interface Agent {
  addRequest: (request: ClientRequest, ...rest: unknown[]) => void
}

const tunnels = new WeakSet<object>()

/** Whether a request asks a proxy for a connection to a receiver: it is part of a push. */
export function isTunnel (request: object): boolean {
  return tunnels.has(request)
}

/**
 * Runs what connects to a proxy: the library of gRPC asks it by a request that it hands to nobody. Of an agent that takes no new property
 * the request is not had.
 */
export function openTunnel<T> (connect: () => T): { readonly connecting: T, readonly request: ClientRequest | undefined } {
  // Applications put agents of their own there.
  const agent = http.globalAgent as unknown as Agent
  let made: ClientRequest | undefined
  const own = Object.getOwnPropertyDescriptor(agent, 'addRequest')
  const original = agent.addRequest
  const addRequest: Agent['addRequest'] = function (this: Agent, request, ...rest) {
    made = request
    tunnels.add(request)
    original.call(this, request, ...rest)
  }
  if (!Reflect.defineProperty(agent, 'addRequest', { value: addRequest, writable: true, enumerable: true, configurable: true })) return { connecting: connect(), request: undefined }
  try {
    const connecting = connect()
    return { connecting, request: made }
  } finally {
    if (own === undefined) Reflect.deleteProperty(agent, 'addRequest')
    else Object.defineProperty(agent, 'addRequest', own)
  }
}

/** Has that request keep no process alive. Call what it returns when it is over. */
export function releaseTunnel (request: ClientRequest): () => void {
  request.once('socket', socket => socket.unref())
  return yieldPush(() => request.destroy())
}
