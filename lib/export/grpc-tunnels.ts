import http from 'node:http'
import type { ClientRequest } from 'node:http'
import { yieldPush } from './lone-pushes.ts'

/** An agent's method that takes a request. */
type AddRequest = (this: unknown, request: ClientRequest, ...rest: unknown[]) => void

const ADD_REQUEST = 'addRequest'

const tunnels = new WeakSet<object>()

/** Whether a request asks a proxy for a connection to a receiver: it is part of a push. */
export function isTunnel (request: object): boolean {
  return tunnels.has(request)
}

/** Runs what connects to a proxy: the library of gRPC asks it by a request that it hands to nobody. */
export function openTunnel<T> (connect: () => T): { readonly connecting: T, readonly request: ClientRequest | undefined } {
  // Applications put agents of their own there.
  const { globalAgent: agent } = http
  const original = Reflect.get(agent, ADD_REQUEST) as AddRequest
  let made: ClientRequest | undefined
  const tap: AddRequest = function (request, ...rest) {
    if (request.method === 'CONNECT') {
      made = request
      tunnels.add(request)
    }
    original.call(this, request, ...rest)
  }
  const holder = holderOf(agent)
  const own = Object.getOwnPropertyDescriptor(holder, ADD_REQUEST)
  Reflect.defineProperty(holder, ADD_REQUEST, { value: tap, writable: true, enumerable: own?.enumerable ?? false, configurable: true })
  try {
    return { connecting: connect(), request: made }
  } finally {
    if (Object.getOwnPropertyDescriptor(holder, ADD_REQUEST)?.value === tap) {
      if (own === undefined) Reflect.deleteProperty(holder, ADD_REQUEST)
      else Object.defineProperty(holder, ADD_REQUEST, own)
    }
  }
}

/** The agent, or where it takes no new property, what it has the method from. */
function holderOf (agent: object): object {
  const parent = Object.getPrototypeOf(agent) as object | null
  return parent === null || Object.isExtensible(agent) || Object.hasOwn(agent, ADD_REQUEST) ? agent : holderOf(parent)
}

/** Has that request keep no process alive. Call what it returns when it is over. */
export function releaseTunnel (request: ClientRequest): () => void {
  request.once('socket', socket => socket.unref())
  return yieldPush(() => request.destroy())
}
