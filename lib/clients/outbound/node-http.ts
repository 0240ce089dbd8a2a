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
    const outbound = begin(request)
    // Of those that follow, this tells in time, from Node 22.12 on. It costs about as much as a record.
    if (outbound !== undefined) stopCreated ??= subscribe({ 'http.client.request.created': ({ request }: { readonly request: ClientRequest }) => began(request) })
    return outbound
  }

  const emitted = (request: Request, event: unknown, detail: unknown): void => {
    try {
      const outbound = requests.find(request) ?? beginLate(request, event)
      if (outbound === undefined || outbound.isSettled) return
      if (event === 'response') outbound.status = (detail as IncomingMessage).statusCode!
      else if (event === 'error') outbound.fail(detail)
      // The connection is given back, closed or taken over.
      else if (event === 'close') endUnsettled(outbound, request.res)
      else if (event === 'connect' || event === 'upgrade') takenOver(outbound, detail as IncomingMessage)
    } catch (error) {
      recorder.unreadable(error)
    }
  }

  const stop = onClientRequest({
    began,
    failed: recorder.guard((request: ClientRequest, error: unknown) => requests.find(request)?.fail(error)),
    emitted,
    ended (request) {
      try {
        requests.find(request)?.settle()
      } catch (error) {
        recorder.unreadable(error)
      }
    }
  })
  return () => {
    stop()
    stopCreated?.()
  }
}

function takenOver (outbound: OutboundRequest, { statusCode }: IncomingMessage): void {
  outbound.status = statusCode!
  outbound.settle()
}

/** The request is over and its response has not ended. */
function endUnsettled (outbound: OutboundRequest, response: Response | null | undefined): void {
  if (response == null) outbound.fail(ABORTED)
  // Nobody takes it over.
  else if (response.upgrade === true) takenOver(outbound, response)
  else if (response.destroyed) end(outbound, response)
  // What came is still to be read.
  else response.on('close', () => end(outbound, response))
}

/** The response is destroyed: a body that came whole and was left unread is no failure. */
function end (outbound: OutboundRequest, response: IncomingMessage): void {
  if (response.complete && response.errored === null) outbound.settle()
  else outbound.fail(response.errored ?? ABORTED)
}
