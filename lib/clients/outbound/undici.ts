import type { OutboundRecorder } from './outbound-recorder.ts'
import type { OutboundRequest } from './outbound-request.ts'
import { proxiedOrigin } from './proxied.ts'
import { RequestMarks } from './request-marks.ts'
import { subscribe } from './subscribe.ts'

type OnUpgrade = (this: UndiciRequest, status: number | null, ...rest: unknown[]) => unknown

/** What undici's channels tell of a request (undici, docs/api/DiagnosticsChannel.md). */
interface UndiciRequest {
  readonly method: string
  readonly origin: string | URL
  readonly path: string
  readonly upgrade?: string | null
  onUpgrade?: OnUpgrade
  onRequestUpgrade?: OnUpgrade
}

interface Message {
  readonly request: UndiciRequest
  readonly response: { readonly statusCode: number }
  readonly error: unknown
}

/** What a tunnel over HTTP/2 is opened by, where undici does not tell its status. */
const TUNNEL_OPENED = 200

/** The least status of a response: heads below it are informational, and what comes after them may still fail. */
const LEAST_FINAL = 200

/** Sees the requests of undici in any version, and of Node's `fetch` and `WebSocket`; returns how to stop. */
export function watchUndici (recorder: OutboundRecorder): () => void {
  const requests = new RequestMarks()
  return subscribe({
    'undici:request:create' ({ request }: Message) {
      try {
        const { method, origin, path } = request
        const outbound = recorder.begin(proxiedOrigin(path) ?? String(origin), method)
        requests.set(request, outbound)
        if (request.upgrade != null || method === 'CONNECT') tapUpgrade(request, outbound)
      } catch (error) {
        recorder.unreadable(error)
      }
    },
    // Informational heads come this way too.
    'undici:request:headers' ({ request, response }: Message) {
      try {
        const outbound = requests.find(request)
        if (outbound !== undefined && response.statusCode >= LEAST_FINAL) outbound.status = response.statusCode
      } catch (error) {
        recorder.unreadable(error)
      }
    },
    'undici:request:trailers' ({ request }: Message) {
      try {
        requests.find(request)?.settle()
      } catch (error) {
        recorder.unreadable(error)
      }
    },
    'undici:request:error': recorder.guard(({ request, error }: Message) => requests.find(request)?.fail(error))
  })
}

/** Many versions publish nothing when a connection is taken over, so the request's own method has to tell; its name differs. */
function tapUpgrade (request: UndiciRequest, outbound: OutboundRequest): void {
  for (const name of ['onUpgrade', 'onRequestUpgrade'] as const) {
    const original = request[name]
    if (original === undefined) continue
    request[name] = function (status, ...rest) {
      // Without a status, versions that have `onUpgradeResponse` publish it later.
      if (status !== null || !('onUpgradeResponse' in this)) {
        outbound.status = status ?? TUNNEL_OPENED
        outbound.settle()
      }
      return original.call(this, status, ...rest)
    }
  }
}
