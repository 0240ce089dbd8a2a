import type { ClientRequest } from 'node:http'
import type { ClientRequestTarget } from './client-requests.ts'
import { proxiedOrigin } from './proxied.ts'

/** How many hosts are remembered. */
const MOST_HOSTS = 1_000

interface Known {
  readonly protocol: string
  readonly port: number | string
  readonly origin: string
}

/** Where requests of `node:http` go, as the origin of a URL. */
export class Origins {
  /** The last by host: a string that is joined anew has to be hashed anew. */
  readonly #known = new Map<string, Known>()

  of (request: ClientRequest, target: ClientRequestTarget | undefined): string {
    const { protocol, path } = request
    const proxied = request.method === 'CONNECT' ? undefined : proxiedOrigin(path)
    if (proxied !== undefined) return proxied
    const host = target?.host ?? request.host
    const port = target?.port
    if (port === undefined) return `${protocol}//${inBrackets(host)}${portOfHeader(request, inBrackets(host))}`
    const known = this.#known.get(host)
    if (known !== undefined && known.port === port && known.protocol === protocol) return known.origin
    return this.#add(host, { protocol, port, origin: `${protocol}//${inBrackets(host)}:${port}` })
  }

  #add (host: string, known: Known): string {
    if (this.#known.size >= MOST_HOSTS) this.#known.clear()
    this.#known.set(host, known)
    return known.origin
  }
}

/** An IPv6 address as a URL writes it. */
function inBrackets (host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}

/** Of the Host header that Node writes: one that names another host says nothing of where the request goes. */
function portOfHeader (request: ClientRequest, host: string): string {
  const header = request.getHeader('host')
  if (typeof header !== 'string' || !header.startsWith(host)) return ''
  return /^:\d+$/.exec(header.slice(host.length))?.[0] ?? ''
}
