import http from 'node:http'
import type { ClientRequest } from 'node:http'
import { yieldPush } from './lone-pushes.ts'

/** What is used of an agent besides its public interface. */
interface Agent extends http.Agent {
  addRequest (request: ClientRequest & { agent?: unknown }, ...rest: unknown[]): void
}

const tunnels = new WeakSet<object>()

/** Whether a request asks a proxy for a connection to a receiver: it is part of a push. */
export function isTunnel (request: object): boolean {
  return tunnels.has(request)
}

/** Runs what connects to a proxy: the library of gRPC asks it by a request that it hands to nobody. */
export function openTunnel<T> (connect: () => T): { readonly connecting: T, readonly request: ClientRequest | undefined } {
  // Applications put agents of their own there.
  const agent = http.globalAgent as Agent
  let made: ClientRequest | undefined
  const addRequest: Agent['addRequest'] = (request, ...rest) => {
    made = request
    tunnels.add(request)
    request.agent = agent
    agent.addRequest(request, ...rest)
  }
  // Another in its place, since some take no new property. That has none itself, so nothing binds what it says of them.
  http.globalAgent = new Proxy(Object.create(agent) as Agent, { get: (_, name) => name === 'addRequest' ? addRequest : Reflect.get(agent, name) as unknown })
  try {
    return { connecting: connect(), request: made }
  } finally {
    http.globalAgent = agent
  }
}

/** Has that request keep no process alive. Call what it returns when it is over. */
export function releaseTunnel (request: ClientRequest): () => void {
  request.once('socket', socket => socket.unref())
  return yieldPush(() => request.destroy())
}
