import type { ClientRequest, IncomingMessage } from 'node:http'
import { createStamp } from '../stamp.ts'
import type { ClientRequestTarget } from './client-requests.ts'
import { onClientRequest } from './client-requests.ts'
import { Origins } from './origins.ts'
import type { OutboundRecorder } from './outbound-recorder.ts'
import type { OutboundRequest } from './outbound-request.ts'
import { subscribe } from './subscribe.ts'

type Request = ClientRequest & { readonly agent?: unknown, readonly res?: IncomingMessage | null }
type Response = IncomingMessage & { readonly req?: Request }

interface Message {
  readonly request: Request
  readonly response: Response
  readonly error: unknown
}

/** What a request ends by that its owner gave up without an error. */
const ABORTED = Object.freeze({ code: 'ABORT_ERR' })

/** Sees the requests of `node:http` and `node:https`, those of the given agents left out; returns how to stop. */
export function watchNodeHttp (recorder: OutboundRecorder, isOwnAgent: (agent: unknown) => boolean): () => void {
  const requests = createStamp<OutboundRequest>()
  const origins = new Origins()

  const onResponseEnd = recorder.guard(function (this: Response) {
    requests.find(this.req!)?.settle()
  })

  const onResponseClose = recorder.guard(function (this: Response) {
    end(requests.get(this.req!), this)
  })

  /** Comes once the connection is given back, closed or taken over. */
  const onClose = recorder.guard(function (this: Request) {
    const outbound = requests.get(this)
    const { res } = this
    if (outbound.isSettled) return
    if (res == null) outbound.fail(ABORTED)
    else if (outbound.status === 0) {
      outbound.status = res.statusCode!
      outbound.settle()
    } else if (res.destroyed) end(outbound, res)
    // What came is still to be read.
    else res.on('close', onResponseClose)
  })

  const begin = (request: Request, target?: ClientRequestTarget): void => {
    if (requests.find(request) !== undefined || isOwnAgent(request.agent)) return
    requests.set(request, recorder.begin(origins.of(request, target), request.method))
    request.on('close', onClose)
  }

  const stops = [
    onClientRequest({
      began: recorder.guard(begin),
      failed: recorder.guard((request: Request, error: unknown) => requests.find(request)?.fail(error))
    }),
    subscribe({
      // For agents that take requests in their own way.
      'http.client.request.created': recorder.guard(({ request }: Message) => begin(request)),
      'http.client.request.error': recorder.guard(({ request, error }: Message) => requests.find(request)?.fail(error)),
      'http.client.response.finish': recorder.guard(({ request, response }: Message) => {
        const outbound = requests.find(request)
        if (outbound === undefined) return
        outbound.status = response.statusCode!
        response.on('end', onResponseEnd)
      })
    })
  ]
  return () => { for (const stop of stops) stop() }
}

/** The response is destroyed: a body that came whole and was left unread is no failure. */
function end (outbound: OutboundRequest, response: IncomingMessage): void {
  if (response.complete && response.errored === null) outbound.settle()
  else outbound.fail(response.errored ?? ABORTED)
}
