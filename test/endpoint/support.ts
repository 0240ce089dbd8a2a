import { EventEmitter, once } from 'node:events'
import { request as httpRequest } from 'node:http'
import type { IncomingHttpHeaders, RequestOptions, Server } from 'node:http'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { Writable } from 'node:stream'
import Fastify from 'fastify'
import type { Test } from 'tap'
import type { FastifyHttpOptions, FastifyInstance } from 'fastify'
import { registerEndpoint } from '../../lib/endpoint/endpoint.ts'
import type { Endpoint, EndpointSettings } from '../../lib/endpoint/endpoint.ts'
import type { ResolvedAuth } from '../../lib/options.ts'

export const TOKEN = 'a-token-that-nobody-guesses'
export const bearer = { authorization: `Bearer ${TOKEN}` }

/** Resolved authentication: nothing but what is given. */
export function rules (given: Partial<ResolvedAuth>): ResolvedAuth {
  return { bearer: [], basic: [], allow: [], custom: undefined, ...given }
}

type Chunks = Iterable<Buffer> | AsyncIterable<Buffer>

/** Something to serve, which knows how often it was begun and ended, in full or not, and how many chunks were taken. */
export class CountedSource extends EventEmitter {
  started = 0
  stopped = 0
  chunks = 0
  readonly #chunks: (format: string) => Chunks

  constructor (chunks: (format: string) => Chunks) {
    super()
    this.#chunks = chunks
  }

  async * scrape (format: string): AsyncGenerator<Buffer, void, undefined> {
    this.started++
    this.emit('change')
    try {
      for await (const chunk of this.#chunks(format)) {
        this.chunks++
        this.emit('change')
        yield chunk
      }
    } finally {
      this.stopped++
      this.emit('change')
    }
  }

  async until (condition: (source: this) => boolean): Promise<void> {
    while (!condition(this)) await once(this, 'change')
  }
}

export function sourceOf (chunks: (format: string) => Chunks): CountedSource {
  return new CountedSource(chunks)
}

export function smallSource (): CountedSource {
  return sourceOf((format) => [Buffer.from('requests_total 1\n'), Buffer.from(`# ${format}\n`)])
}

export function settings (given: Partial<EndpointSettings> = {}): EndpointSettings {
  return {
    exposition: smallSource(),
    path: '/v1/metrics',
    auth: rules({ bearer: [TOKEN] }),
    rateLimit: { max: 60, timeWindow: 60_000 },
    listen: undefined,
    onScrape: () => {},
    ...given
  }
}

/** A log, as the lines that it was given; the stream emits `line` after each. */
export function logOf (level = 'trace'): { lines: string[], logger: { level: string, stream: Writable } } {
  const lines: string[] = []
  const stream: Writable = new Writable({
    write (chunk, _encoding, done) {
      lines.push(String(chunk))
      stream.emit('line')
      done()
    }
  })
  return { lines, logger: { level, stream } }
}

export interface Served {
  app: FastifyInstance
  endpoint: Endpoint
  url: string
}

/** An application with the endpoint, listening. */
export async function serve (t: Test, given: Partial<EndpointSettings> = {}, options: FastifyHttpOptions<Server> = {}): Promise<Served> {
  const app = Fastify(options)
  t.teardown(() => app.close())
  const endpoint = await registerEndpoint(app, settings(given))
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, endpoint, url: `${origin}/v1/metrics` }
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** One request on a connection of its own. */
export async function get (url: string, headers: Record<string, string> = {}, options: RequestOptions = {}): Promise<Answer> {
  const request = httpRequest(url, { agent: false, headers, ...options }).end()
  const [response] = await once(request, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }
}

export async function statusOf (url: string, headers: Record<string, string> = {}): Promise<number> {
  const { status } = await get(url, headers)
  return status
}

/** A connected socket to the server of this address. */
export async function open (t: Test, url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

export function scrapeText (headers: Record<string, string> = bearer): string {
  const lines = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET /v1/metrics HTTP/1.1\r\n${lines.join('')}\r\n`
}
