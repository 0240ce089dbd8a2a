import { Agent, ClientRequest, IncomingMessage } from 'node:http'

/** Where a request goes, as its constructor resolved it. */
export interface ClientRequestTarget {
  readonly host?: string
  readonly port?: number | string
}

/** Told of requests before anybody else is; more than once where somebody else's tap holds one of ours that is over. */
export interface ClientRequestListener {
  /** It is handed to an agent, in its constructor. Again where an agent hands it on. */
  began (request: ClientRequest, target: ClientRequestTarget | undefined): void
  /** Its constructor throws. */
  failed (request: ClientRequest, error: unknown): void
  /** It emits an event, with this for its first argument. */
  emitted (request: ClientRequest, event: unknown, detail: unknown): void
  /** Its response is read to its end. */
  ended (request: ClientRequest, response: IncomingMessage): void
  /** Its response is closed, whether it was read to its end or not. */
  closed (request: ClientRequest, response: IncomingMessage): void
}

type Method = (this: never, ...args: never[]) => unknown
type Prototype = Record<string, Method>

/** A method that is tapped: `over` makes what takes its place, above what `below` has by its name at each call. */
interface Tap {
  readonly prototype: Prototype
  readonly name: string
  readonly over: (below: Prototype) => Method
}

const TAPS: readonly Tap[] = [
  {
    prototype: Agent.prototype as unknown as Prototype,
    name: 'addRequest',
    over: below => function addRequest (this: never, request: ClientRequest, target: unknown, _port: unknown, _localAddress: unknown) {
      heard.began(request, typeof target === 'object' ? target as ClientRequestTarget : undefined)
      try {
        return below['addRequest']!.apply(this, arguments as never)
      } catch (error) {
        heard.failed(request, error)
        throw error
      }
    }
  },
  {
    prototype: ClientRequest.prototype as unknown as Prototype,
    name: 'emit',
    over: below => function emit (this: ClientRequest, event: unknown) {
      heard.emitted(this, event, arguments[1])
      return below['emit']!.apply(this as never, arguments as never)
    }
  },
  {
    prototype: IncomingMessage.prototype as unknown as Prototype,
    name: 'emit',
    over: below => function emit (this: IncomingMessage & { readonly req?: ClientRequest }, event: unknown) {
      // Messages that servers get have no request.
      if (event === 'end' && this.req != null) heard.ended(this.req, this)
      else if (event === 'close' && this.req != null) heard.closed(this.req, this)
      return below['emit']!.apply(this as never, arguments as never)
    }
  }
]

/** What each of our taps was put over: somebody else's may still hold one that is over. */
const covered = new WeakMap<Method, Method | undefined>()

let listeners: readonly ClientRequestListener[] = []
/** All of them as one: nearly always there is one, and a loop costs. */
let heard = united(listeners)

/**
 * Hears of each request of `node:http` and `node:https` from its constructor to its end: the channels that Node has tell neither where it
 * goes nor of each end, and listeners cost more. Returns how to stop; the last to stop leaves no trace.
 */
export function onClientRequest (listener: ClientRequestListener): () => void {
  if (listeners.length === 0) install()
  tell([...listeners, listener])
  return () => {
    tell(listeners.filter(other => other !== listener))
    if (listeners.length === 0) uninstall()
  }
}

function tell (all: readonly ClientRequestListener[]): void {
  listeners = all
  heard = all.length === 1 ? all[0]! : united(all)
}

function united (all: readonly ClientRequestListener[]): ClientRequestListener {
  return {
    began (request, target) { for (const one of all) one.began(request, target) },
    failed (request, error) { for (const one of all) one.failed(request, error) },
    emitted (request, event, detail) { for (const one of all) one.emitted(request, event, detail) },
    ended (request, response) { for (const one of all) one.ended(request, response) },
    closed (request, response) { for (const one of all) one.closed(request, response) }
  }
}

function install (): void {
  for (const { prototype, name, over } of TAPS) {
    const own = underOurs(prototype, name)
    const tap = over(own === undefined ? Object.getPrototypeOf(prototype) as Prototype : { [name]: own })
    covered.set(tap, own)
    prototype[name] = tap
  }
}

/** Somebody else's tap over ours would be lost: ours stays under it then, and hears nothing until there is a listener again. */
function uninstall (): void {
  for (const { prototype, name } of TAPS) {
    const own = underOurs(prototype, name)
    if (own === undefined) Reflect.deleteProperty(prototype, name)
    else prototype[name] = own
  }
}

/** What a prototype has of its own by a name, past our taps that lie on top: others who take theirs away may bring back one of ours, or take it along. */
function underOurs (prototype: Prototype, name: string): Method | undefined {
  let own = Object.hasOwn(prototype, name) ? prototype[name] : undefined
  while (own !== undefined && covered.has(own)) own = covered.get(own)
  return own
}
