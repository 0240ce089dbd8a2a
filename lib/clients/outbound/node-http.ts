import { errorMonitor } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { ClientRequestTarget } from './client-requests.ts'
import { onClientRequest } from './client-requests.ts'
import { Origins } from './origins.ts'
import type { OutboundRecorder } from './outbound-recorder.ts'
import type { OutboundRequest } from './outbound-request.ts'
import { RequestMarks } from './request-marks.ts'
import { subscribe } from './subscribe.ts'

type Request = ClientRequest & { readonly agent?: Agent, readonly res?: IncomingMessage | null }

/** What tells whose request it is. */
export interface OwnedRequest {
  readonly method: string
  readonly agent?: unknown
}

type Response = IncomingMessage & { readonly req: Request }

/** An agent that may have a proxy: Node 24.5 and later. */
interface Agent {
  readonly options?: { readonly proxyEnv?: unknown }
}

interface Message {
  readonly request: Request
  readonly response: IncomingMessage
  readonly error: unknown
}

/** What a request ends by that its owner gave up without an error. */
const ABORTED = Object.freeze({ code: 'ABORT_ERR' })

/** Sees the requests of `node:http` and `node:https`, our own left out; returns how to stop. */
export function watchNodeHttp (recorder: OutboundRecorder, isOwn: (request: OwnedRequest) => boolean): () => void {
  const requests = new RequestMarks()
  const origins = new Origins()

  const opened = recorder.guard((outbound: OutboundRequest, { statusCode }: IncomingMessage) => {
    outbound.status = statusCode!
    outbound.settle()
  })

  const failed = recorder.guard((request: Request, error: unknown) => requests.find(request)?.fail(error))

  // One for all requests: they find theirs by its mark.
  function onClose (this: Request): void {
    const outbound = requests.find(this)
    if (outbound !== undefined && !outbound.isSettled) endUnsettled(outbound, this.res)
  }

  function onEnd (this: Response): void {
    requests.find(this.req)?.settle()
  }

  const began = (request: Request, target?: ClientRequestTarget): void => {
    try {
      if (requests.find(request) !== undefined || isOwn(request)) return
      const outbound = recorder.begin(origins.of(request, target), request.method)
      requests.set(request, outbound)
      // Comes once the connection is given back, closed or taken over.
      request.on('close', onClose)
      if (request.method === 'CONNECT') tapTunnel(request, response => opened(outbound, response))
      // No channel tells of a proxy that refuses a tunnel to Node's own agent.
      if (request.agent?.options?.proxyEnv !== undefined) request.on(errorMonitor, (error: unknown) => failed(request, error))
    } catch (error) {
      recorder.unreadable(error)
    }
  }

  const onHead = ({ request, response }: Message): void => {
    try {
      const outbound = requests.find(request)
      if (outbound === undefined) return
      outbound.status = response.statusCode!
      response.on('end', onEnd)
    } catch (error) {
      recorder.unreadable(error)
    }
  }

  const stops = [
    onClientRequest({ began, failed }),
    subscribe({
      // For agents that take requests in their own way.
      'http.client.request.created': ({ request }: Message) => began(request),
      'http.client.request.error': ({ request, error }: Message) => failed(request, error),
      'http.client.response.finish': onHead
    })
  ]
  return () => { for (const stop of stops) stop() }
}

/** Libraries for tunnels take all listeners off as soon as theirs is called, so the event has to be seen before them; to listen would change what Node does. */
function tapTunnel (request: Request, opened: (response: IncomingMessage) => void): void {
  const { emit } = request
  request.emit = function (this: Request, event: string, ...args: unknown[]) {
    if (event === 'connect') opened(args[0] as IncomingMessage)
    return Reflect.apply(emit, this, [event, ...args]) as boolean
  }
}

/** The request is over and its response has not ended. */
function endUnsettled (outbound: OutboundRequest, response: IncomingMessage | null | undefined): void {
  if (response == null) outbound.fail(ABORTED)
  else if (outbound.status === 0) {
    outbound.status = response.statusCode!
    outbound.settle()
  } else if (response.destroyed) end(outbound, response)
  // What came is still to be read.
  else response.on('close', () => end(outbound, response))
}

/** The response is destroyed: a body that came whole and was left unread is no failure. */
function end (outbound: OutboundRequest, response: IncomingMessage): void {
  if (response.complete && response.errored === null) outbound.settle()
  else outbound.fail(response.errored ?? ABORTED)
}
