import type { ClientRequest, IncomingMessage } from 'node:http'
import type { ClientRequestTarget } from './client-requests.ts'
import { onClientRequest } from './client-requests.ts'
import { Origins } from './origins.ts'
import type { OutboundRecorder } from './outbound-recorder.ts'
import type { OutboundRequest } from './outbound-request.ts'
import { RequestMarks } from './request-marks.ts'
import { subscribe } from './subscribe.ts'

type Request = ClientRequest & { readonly res?: IncomingMessage | null }

type Response = IncomingMessage & { readonly upgrade?: boolean | null }

/** What tells whose request it is. */
export interface OwnedRequest {
  readonly method: string
  readonly agent?: unknown
}

/** What a request ends by that its owner gave up without an error. */
const ABORTED = Object.freeze({ code: 'ABORT_ERR' })

/** Sees the requests of `node:http` and `node:https`, our own left out; returns how to stop. */
export function watchNodeHttp (recorder: OutboundRecorder, isOwn: (request: OwnedRequest) => boolean): () => void {
  const requests = new RequestMarks()
  const origins = new Origins()
  let stopCreated: (() => void) | undefined

  const begin = (request: ClientRequest, target?: ClientRequestTarget): OutboundRequest | undefined => {
    if (isOwn(request)) return undefined
    const outbound = recorder.begin(origins.of(request, target), request.method)
    requests.set(request, outbound)
    return outbound
  }

  const began = (request: ClientRequest, target?: ClientRequestTarget): void => {
    try {
      if (requests.find(request) === undefined) begin(request, target)
    } catch (error) {
      recorder.unreadable(error)
    }
  }

  /** Agents that take requests in their own way tell of none: the first is seen when it has got its socket, or none. */
  const beginLate = (request: ClientRequest, event: unknown): OutboundRequest | undefined => {
    if (event !== 'socket' && ((event !== 'error' && event !== 'close') || request.socket != null)) return undefined
    // Libraries that play a server make some without the constructor.
    if (typeof request.host !== 'string') return undefined
    const outbound = begin(request)
    // Of those that follow, this tells in time, from Node 22.12 on. It costs about as much as a record.
    if (outbound !== undefined) stopCreated ??= subscribe({ 'http.client.request.created': ({ request }: { readonly request: ClientRequest }) => began(request) })
    return outbound
  }

  const failed = recorder.guard((request: Request, error: unknown) => {
    const outbound = requests.find(request)
    if (outbound !== undefined) fail(outbound, request.res, error)
  })

  const emitted = (request: Request, event: unknown, detail: unknown): void => {
    try {
      const outbound = requests.find(request) ?? beginLate(request, event)
      if (outbound === undefined || outbound.isSettled) return
      if (event === 'error') {
        // It goes on after some, such as a write that comes too late.
        if (request.destroyed || request.socket == null || request.socket.destroyed) fail(outbound, request.res, detail)
      // The connection is given back, closed or taken over.
      } else if (event === 'close') endUnsettled(outbound, request.res)
      else if (event === 'connect' || event === 'upgrade') settle(outbound, detail as IncomingMessage)
    } catch (error) {
      recorder.unreadable(error)
    }
  }

  const stops = [
    onClientRequest({
      began,
      failed,
      emitted,
      ended (request, response) {
        try {
          const outbound = requests.find(request)
          if (outbound !== undefined) settle(outbound, response)
        } catch (error) {
          recorder.unreadable(error)
        }
      },
      closed (request, response) {
        try {
          const outbound = requests.find(request)
          if (outbound !== undefined && !outbound.isSettled) end(outbound, response)
        } catch (error) {
          recorder.unreadable(error)
        }
      }
    }),
    // Where somebody keeps events from us, it tells of errors all the same.
    subscribe({ 'http.client.request.error': ({ request, error }: { readonly request: Request, readonly error: unknown }) => failed(request, error) })
  ]
  return () => {
    for (const stop of stops) stop()
    stopCreated?.()
  }
}

function settle (outbound: OutboundRequest, { statusCode }: IncomingMessage): void {
  outbound.status = statusCode!
  outbound.settle()
}

function fail (outbound: OutboundRequest, response: IncomingMessage | null | undefined, error: unknown): void {
  if (response != null) outbound.status = response.statusCode!
  outbound.fail(error)
}

/** The request is over and its response has not been read to its end. Where that came whole, nobody may ever read it, and nothing is under way. */
function endUnsettled (outbound: OutboundRequest, response: Response | null | undefined): void {
  if (response == null) outbound.fail(ABORTED)
  // Nobody takes it over.
  else if (response.upgrade === true) settle(outbound, response)
  else if (response.destroyed || response.complete) end(outbound, response)
}

/** The response is destroyed: a body that came whole and was left unread is no failure. */
function end (outbound: OutboundRequest, response: IncomingMessage): void {
  if (response.complete && response.errored === null) settle(outbound, response)
  else fail(outbound, response, response.errored ?? ABORTED)
}
