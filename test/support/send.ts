import http from 'node:http'
import https from 'node:https'
import { once } from 'node:events'

export interface Outgoing {
  port: number
  path: string
  host?: string
  method?: string
  headers?: http.OutgoingHttpHeaders
  /** An array is sent chunked, piece by piece. */
  body?: string | string[]
  agent?: http.Agent | https.Agent
  secure?: boolean
}

export interface Answer {
  status: number
  headers: http.IncomingHttpHeaders
  body: Buffer
}

/** A well-behaved HTTP/1.1 request, answered to the end. */
export async function send ({ port, path, host = '127.0.0.1', method = 'GET', headers = {}, body, agent, secure = false }: Outgoing): Promise<Answer> {
  const options = { port, path, host, method, headers, agent: agent ?? false as const, rejectUnauthorized: false }
  const request = secure ? https.request(options) : http.request(options)
  if (Array.isArray(body)) {
    for (const piece of body) request.write(piece)
    request.end()
  } else {
    request.end(body)
  }
  const [response] = await once(request, 'response') as [http.IncomingMessage]
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece)
  return { status: response.statusCode!, headers: response.headers, body: Buffer.concat(pieces) }
}
