import { EventEmitter, once } from 'node:events'
import http from 'node:http'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import https from 'node:https'
import http2 from 'node:http2'
import type { ServerHttp2Stream } from 'node:http2'
import net from 'node:net'
import type { AddressInfo, ListenOptions, Server as NetServer } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Test } from 'tap'
import { certificate } from '../../../support/certificate.ts'

/** A server that answers in every way a server can. */
export interface Target {
  server: NetServer
  port: number
  /** `http://127.0.0.1:port`. */
  url: string
  /** The label `host` of requests to it. */
  host: string
  /** Emits each path as its request arrives. */
  arrivals: EventEmitter
  /** How many requests came to each path. */
  seen: Map<string, number>
}

export interface TargetSetup {
  kind?: 'http' | 'https' | 'http2'
  listen?: ListenOptions
}

export async function startTarget (t: Test, { kind = 'http', listen = { port: 0, host: '127.0.0.1' } }: TargetSetup = {}): Promise<Target> {
  const arrivals = new EventEmitter()
  const seen = new Map<string, number>()
  const answer: RequestListener = (request, response) => {
    const path = request.url!.split('?')[0]!
    seen.set(path, (seen.get(path) ?? 0) + 1)
    request.on('error', () => {})
    answers[path.split('/')[1]!]!(request, response, path.split('/')[2]!)
    arrivals.emit(path)
  }
  const server = createServer(kind, answer)
  const sockets = new Set<Duplex>()
  server.on('connection', (socket: Duplex) => { sockets.add(socket); socket.on('error', () => {}).on('close', () => sockets.delete(socket)) })
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/refuse') response.writeHead(417).end()
    else {
      response.writeContinue()
      answer(request, response)
    }
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    if (request.url === '/refuse') socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    else socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    socket.on('data', chunk => socket.write(chunk)).on('end', () => socket.end())
  })
  // A tunnel over HTTP/2 that sends back what comes.
  server.on('connect', (_: IncomingMessage, { stream }: { stream: ServerHttp2Stream }) => {
    stream.on('error', () => {}).respond({ ':status': 200 })
    stream.pipe(stream)
  })
  server.listen(listen)
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = (server.address() ?? {}) as AddressInfo
  const host = `127.0.0.1:${port}`
  return { server, port, host, url: `${kind === 'http' ? 'http' : 'https'}://${host}`, arrivals, seen }
}

function createServer (kind: TargetSetup['kind'], answer: RequestListener): NetServer {
  if (kind === 'http') return http.createServer(answer)
  if (kind === 'https') return https.createServer(certificate, answer)
  return http2.createSecureServer({ ...certificate, allowHTTP1: true }, answer as never)
}

type Answer = (request: IncomingMessage, response: ServerResponse, parameter: string) => void

const answers: Record<string, Answer> = {
  ok: (_, response) => { response.end('ok') },
  status: (_, response, status) => { response.writeHead(Number(status)).end(['204', '304'].includes(status) ? undefined : 'body') },
  redirect: (_, response, left) => { response.writeHead(302, { location: left === '1' ? '/ok' : `/redirect/${Number(left) - 1}` }).end('moved') },
  early: (_, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
    response.writeProcessing()
    response.end('late')
  },
  chunks: (_, response) => {
    response.write('one ')
    setImmediate(() => {
      response.write('two ')
      setImmediate(() => response.end('three'))
    })
  },
  large: (_, response) => { response.end(Buffer.alloc(1_000_000)) },
  echo: (request, response) => { request.pipe(response) },
  // Answers before the body of the request has come.
  eager: (request, response) => { response.writeHead(413).end('too much'); request.resume() },
  silent: () => {},
  half: (_, response) => { response.writeHead(200, { 'content-length': 100 }); response.write('half') },
  dies: (_, response) => {
    response.writeHead(200, { 'content-length': 100 })
    response.write('half', () => setImmediate(() => response.destroy()))
  },
  hangup: (_, response) => { response.destroy() },
  // Ends after an informational head, before its own.
  hinted: (_, response) => { response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' }, () => setImmediate(() => response.destroy())) },
  nonsense: (_, response) => { response.socket!.end('nonsense\r\n\r\n') },
  // A chunk without a length.
  garbled: (_, response) => { response.socket!.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n') },
  unknown: (_, response) => { response.writeHead(599).end() },
  cached: (_, response) => { response.writeHead(200, { 'cache-control': 'public, max-age=3600' }).end('kept') },
  flaky: (request, response) => {
    const isFirst = !flakySeen.has(request.url!)
    flakySeen.add(request.url!)
    response.writeHead(isFirst ? 503 : 200).end('flaky')
  }
}

const flakySeen = new Set<string>()

/** A proxy for both ways, tunnels by CONNECT and requests in absolute form, that makes no HTTP request of its own. */
export async function startProxy (t: Test): Promise<{ url: string, host: string, port: number }> {
  const sockets = new Set<net.Socket>()
  const keep = (socket: net.Socket): net.Socket => {
    sockets.add(socket)
    return socket.on('error', () => {})
  }
  const server = net.createServer(client => {
    keep(client).once('data', (head: Buffer) => {
      const [method, address] = head.toString('latin1').split(' ', 2) as [string, string]
      if (address.startsWith('refused.')) {
        client.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n')
        return
      }
      const { hostname, port, origin } = new URL(method === 'CONNECT' ? `http://${address}` : address)
      const upstream = keep(net.connect({ host: hostname, port: Number(port) }))
      if (method === 'CONNECT') client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      else upstream.write(head.toString('latin1').replace(origin, ''), 'latin1')
      client.pipe(upstream).pipe(client)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { port, host: `127.0.0.1:${port}`, url: `http://127.0.0.1:${port}` }
}
