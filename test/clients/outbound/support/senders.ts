import http from 'node:http'
import https from 'node:https'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import * as undici7 from 'undici'
import * as undici6 from 'undici-6'

export interface SendOptions {
  method?: string
  body?: string | Readable
  signal?: AbortSignal
}

/** Sends a request and reads its answer to the end; rejects where any of it fails. */
export interface Sender {
  name: string
  send: (url: string, options?: SendOptions) => Promise<{ status: number, body: string }>
  /** Gets the head and leaves the body: `leave` breaks it off. */
  open: (url: string, options?: SendOptions) => Promise<{ status: number, leave: () => void }>
  close: () => Promise<unknown> | void
}

export type Undici = typeof undici7

const [major, minor] = process.versions.node.split('.').map(Number) as [number, number]

/** The versions of undici that this Node can run; 8 begins with Node 22.19. */
export const undicis: readonly { name: string, undici: Undici }[] = [
  { name: 'undici 6', undici: undici6 as unknown as Undici },
  { name: 'undici 7', undici: undici7 },
  ...major > 22 || (major === 22 && minor >= 19) ? [{ name: 'undici 8', undici: await import('undici-8') as unknown as Undici }] : []
]

const insecure = { rejectUnauthorized: false }

function byFetch (name: string, fetch: (url: string, init: object) => Promise<Response>, dispatcher?: undici7.Dispatcher): Sender {
  const ask = (url: string, { method = 'GET', body, signal }: SendOptions): Promise<Response> =>
    fetch(url, { method, ...body !== undefined && { body, duplex: 'half' }, ...signal && { signal }, ...dispatcher && { dispatcher } })
  return {
    name,
    async send (url, options = {}) {
      const response = await ask(url, options)
      return { status: response.status, body: await response.text() }
    },
    async open (url, options = {}) {
      const response = await ask(url, options)
      return { status: response.status, leave: () => { response.body!.cancel().catch(() => {}) } }
    },
    close: () => dispatcher?.close()
  }
}

function byUndici (name: string, { request, Agent, fetch }: Undici): Sender[] {
  const dispatcher = new Agent({ connect: insecure })
  const ask = (url: string, { method = 'GET', body, signal }: SendOptions) =>
    request(url, { dispatcher, method: method as 'GET', ...body !== undefined && { body }, ...signal && { signal } })
  const fetching = new Agent({ connect: insecure })
  return [{
    name: `${name} request`,
    async send (url, options = {}) {
      const { statusCode, body } = await ask(url, options)
      return { status: statusCode, body: await body.text() }
    },
    async open (url, options = {}) {
      const { statusCode, body } = await ask(url, options)
      body.on('error', () => {})
      return { status: statusCode, leave: () => { body.destroy() } }
    },
    close: () => dispatcher.close()
  }, byFetch(`${name} fetch`, fetch as never, fetching)]
}

function byNode (name: string, keepAlive: boolean): Sender {
  const agents = { 'http:': new http.Agent({ keepAlive }), 'https:': new https.Agent({ keepAlive, ...insecure }) }
  const open: (url: string, options: SendOptions) => Promise<http.IncomingMessage> = (url, { method = 'GET', body, signal }) => new Promise((resolve, reject) => {
    const { protocol } = new URL(url)
    const request = (protocol === 'https:' ? https : http).request(url, { method, agent: agents[protocol as 'http:'], ...signal && { signal } }, resolve)
    request.on('error', reject)
    if (typeof body === 'object') body.on('error', error => request.destroy(error)).pipe(request)
    else request.end(body)
  })
  return {
    name,
    async send (url, options = {}) {
      const response = await open(url, options)
      return { status: response.statusCode!, body: await text(response) }
    },
    async open (url, options = {}) {
      const response = await open(url, options)
      response.on('error', () => {})
      return { status: response.statusCode!, leave: () => { response.destroy() } }
    },
    close () { for (const agent of Object.values(agents)) agent.destroy() }
  }
}

/** Every client that a service may use, each on its own connections. */
export const senders: readonly Sender[] = [
  byFetch('fetch', globalThis.fetch as never),
  ...undicis.flatMap(({ name, undici }) => byUndici(name, undici)),
  byNode('http', false),
  byNode('http with keep-alive', true)
]
