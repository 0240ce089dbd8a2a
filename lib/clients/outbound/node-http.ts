import type { ClientRequest, IncomingMessage } from 'node:http'
import type { ClientRequestTarget } from './client-requests.ts'
import { onClientRequest } from './client-requests.ts'
import type { OutboundRecorder } from './outbound-recorder.ts'
import type { OutboundRequest } from './outbound-request.ts'
import { proxiedOrigin } from './proxied.ts'
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
  const requests = new WeakMap<object, OutboundRequest>()

  const onResponseEnd = recorder.guard(function (this: Response) {
    requests.get(this.req!)?.settle()
  })

  const onResponseClose = recorder.guard(function (this: Response) {
    end(requests.get(this.req!)!, this)
  })

  /** Comes once the connection is given back, closed or taken over. */
  const onClose = recorder.guard(function (this: Request) {
    const outbound = requests.get(this)!
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
    if (requests.has(request) || isOwnAgent(request.agent)) return
    requests.set(request, recorder.begin(toOrigin(request, target), request.method))
    request.on('close', onClose)
  }

  const stops = [
    onClientRequest({
      began: recorder.guard(begin),
      failed: recorder.guard((request: Request, error: unknown) => requests.get(request)?.fail(error))
    }),
    subscribe({
      // For agents that take requests in their own way.
      'http.client.request.created': recorder.guard(({ request }: Message) => begin(request)),
      'http.client.request.error': recorder.guard(({ request, error }: Message) => requests.get(request)?.fail(error)),
      'http.client.response.finish': recorder.guard(({ request, response }: Message) => {
        const outbound = requests.get(request)
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

function toOrigin (request: Request, target: ClientRequestTarget | undefined): string {
  const { protocol, path } = request
  const proxied = request.method === 'CONNECT' ? undefined : proxiedOrigin(path)
  if (proxied !== undefined) return proxied
  const host = inBrackets(target?.host ?? request.host)
  return `${protocol}//${host}${target?.port === undefined ? portOfHeader(request, host) : `:${target.port}`}`
}

/** An IPv6 address as a URL writes it. */
function inBrackets (host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}

/** Of the Host header that Node writes: one that names another host says nothing of where the request goes. */
function portOfHeader (request: Request, host: string): string {
  const header = request.getHeader('host')
  if (typeof header !== 'string' || !header.startsWith(host)) return ''
  return /^:\d+$/.exec(header.slice(host.length))?.[0] ?? ''
}
