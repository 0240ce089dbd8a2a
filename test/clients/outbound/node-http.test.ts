import { randomUUID } from 'node:crypto'
import diagnosticsChannel from 'node:diagnostics_channel'
import { EventEmitter, once } from 'node:events'
import http from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { HttpProxyAgent } from 'http-proxy-agent'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { WebSocket } from 'ws'
import { freePort } from '../../support/free-port.ts'
import { eventually } from '../../support/gate.ts'
import { expectOutbound, readBooks, startOutbound } from './support/books.ts'
import { startProxy, startTarget } from './support/target.ts'

const target = await startTarget(t)
const { url, host, port } = target

const [major, minor] = process.versions.node.split('.').map(Number) as [number, number]

/** The whole answer to a request that was ended. */
async function answerTo (request: ClientRequest): Promise<string> {
  const [response] = await once(request, 'response') as [IncomingMessage]
  return await text(response)
}

t.test('counts http.get and http.request in all their forms by the host of the URL', async t => {
  const app = await startOutbound(t)
  t.equal(await answerTo(http.get(`${url}/ok`)), 'ok')
  t.equal(await answerTo(http.get(new URL(`http://user:secret@127.0.0.1:${port}/ok`))), 'ok')
  t.equal(await answerTo(http.get({ host: '127.0.0.1', port, path: '/ok', auth: 'user:secret' })), 'ok')
  t.equal(await answerTo(http.request(`${url}/echo`, { method: 'post', agent: false }).end('own agent')), 'own agent')
  t.equal(await answerTo(http.get(`${url}/ok`, { headers: { host: 'virtual.example' } })), 'ok', 'the Host header is another matter')
  t.equal(await answerTo(http.get(`${url}/ok`, { headers: ['Host', host, 'Accept', '*/*'] as never })), 'ok')
  await expectOutbound(t, app, { [`GET ${host} 200`]: 5, [`POST ${host} 200`]: 1 })
})

t.test('counts over connections that the request makes itself', async t => {
  const app = await startOutbound(t)
  const createConnection = () => net.connect(port, '127.0.0.1')
  t.equal(await answerTo(http.get(`${url}/ok`, { createConnection })), 'ok')
  t.equal(await answerTo(http.get(`${url}/ok`, { createConnection, headers: { host: '127.0.0.1.example' } })), 'ok')
  t.equal(await answerTo(http.get(`${url}/status/400`, { createConnection, setHost: false })), '', 'without Host')
  const request = http.get(`${url}/ok`, { createConnection: ((_: unknown, done: (error: Error) => void) => { done(new Error('no way')) }) as never })
  t.match((await once(request, 'error'))[0], { message: 'no way' })
  await expectOutbound(t, app, {
    [`GET ${host} 200`]: 1,
    'GET 127.0.0.1 200': 1,
    'GET 127.0.0.1 400': 1,
    [`GET ${host} error`]: 1
  })
})

t.test('knows the port of 80 and 443, IPv6 addresses, and what is no host', async t => {
  const app = await startOutbound(t)
  const failing = async (request: ClientRequest): Promise<void> => { await once(request, 'error') }
  await failing(http.get('http://NOBODY.invalid:80/'))
  await failing(https.get('https://nobody.invalid/'))
  await failing(https.get({ host: 'nobody.invalid', port: '8443' }))
  await failing(http.get({ host: 'no host at all' }))
  const server = net.createServer(socket => { socket.destroy() }).listen(0, '::1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const ipv6 = (server.address() as net.AddressInfo).port
  await failing(http.get(`http://[::1]:${ipv6}/`))
  await failing(http.get({ host: '::1', port: ipv6, agent: new http.Agent() }))
  await expectOutbound(t, app, {
    'GET nobody.invalid error': 2,
    'GET nobody.invalid:8443 error': 1,
    'GET other error': 1,
    [`GET [::1]:${ipv6} error`]: 2
  })
})

t.test('counts an upgrade when the connection is taken over', async t => {
  const app = await startOutbound(t)
  const upgrade = { connection: 'Upgrade', upgrade: 'echo' }
  const request = http.get(`${url}/upgrade`, { headers: upgrade })
  const [response, socket] = await once(request, 'upgrade') as [IncomingMessage, Duplex]
  t.equal(response.statusCode, 101)
  await expectOutbound(t, app, { [`GET ${host} 101`]: 1 })
  socket.destroy()
  const unheard = http.get(`${url}/upgrade`, { headers: upgrade })
  unheard.on('error', () => {})
  await once(unheard, 'close')
  t.equal(await answerTo(http.get(`${url}/refuse`, { headers: upgrade })), '')
  await expectOutbound(t, app, { [`GET ${host} 101`]: 2, [`GET ${host} 403`]: 1 })
})

t.test('counts a tunnel as a request to the proxy, and what goes through it to its own host', async t => {
  const app = await startOutbound(t)
  const proxy = await startProxy(t)
  const connect = http.request(`${proxy.url}`, { method: 'CONNECT', path: host }).end()
  const [, socket] = await once(connect, 'connect') as [IncomingMessage, Duplex]
  t.equal(await answerTo(http.get(`${url}/ok`, { createConnection: () => socket as net.Socket })), 'ok')
  // As libraries for tunnels do.
  const bare = http.request(`${proxy.url}`, { method: 'CONNECT', path: host }).end()
  bare.once('connect', (_response, socket) => {
    bare.removeAllListeners()
    socket.destroy()
  })
  await once(bare, 'connect')
  const refused = http.request(`${proxy.url}`, { method: 'CONNECT', path: 'refused.invalid:443' }).end()
  await once(refused, 'connect')
  t.equal(await answerTo(http.get(`${proxy.url}`, { path: `${url}/ok` })), 'ok')
  await expectOutbound(t, app, { [`CONNECT ${proxy.host} 200`]: 2, [`GET ${host} 200`]: 2, [`CONNECT ${proxy.host} 407`]: 1 })
})

t.test('counts through the agents of proxy-agents', async t => {
  const app = await startOutbound(t)
  const proxy = await startProxy(t)
  const secure = await startTarget(t, { kind: 'https' })
  t.equal(await answerTo(http.get(`${url}/ok`, { agent: new HttpProxyAgent(proxy.url) })), 'ok')
  t.equal(await answerTo(https.get(`${secure.url}/ok`, { agent: new HttpsProxyAgent(proxy.url), rejectUnauthorized: false })), 'ok')
  await expectOutbound(t, app, { [`GET ${host} 200`]: 1, [`GET ${secure.host} 200`]: 1 })
})

if (major > 24 || (major === 24 && minor >= 5)) {
  t.test('counts through the proxy that Node itself finds in the environment', async t => {
    const app = await startOutbound(t, { naming: 'semconv' })
    const proxy = await startProxy(t)
    const secure = await startTarget(t, { kind: 'https' })
    const proxyEnv = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url }
    const agent = new https.Agent({ proxyEnv, rejectUnauthorized: false } as https.AgentOptions)
    t.equal(await answerTo(http.get(`${url}/ok`, { agent: new http.Agent({ proxyEnv } as http.AgentOptions) })), 'ok')
    t.equal(await answerTo(https.get(`${secure.url}/ok`, { agent })), 'ok')
    t.match((await once(https.get('https://refused.invalid/', { agent }), 'error'))[0], { code: 'ERR_PROXY_TUNNEL' })
    await eventually(async () => /http_client_active_requests\{[^}]*refused[^}]*\} 0/.test(await app.vitals.render()))
    const text = await app.vitals.render()
    t.match(text, /http_client_request_duration_seconds_count\{(?=[^}]*refused\.invalid)(?=[^}]*error_type="ERR_PROXY_TUNNEL")[^}]*\} 1/)
    t.notMatch(text, /CONNECT/)
    for (const { port } of [target, secure]) t.match(text, new RegExp(`http_client_request_duration_seconds_count\\{(?=[^}]*server_port="${port}")(?=[^}]*http_response_status_code="200")[^}]*\\} 1`))
  })
}

t.test('counts once what fails through an agent that knows of proxies', async t => {
  const app = await startOutbound(t)
  const agent = new http.Agent({ proxyEnv: {} } as http.AgentOptions)
  const closed = await freePort()
  t.match((await once(http.get(`http://127.0.0.1:${closed}/`, { agent }), 'error'))[0], { code: 'ECONNREFUSED' })
  await expectOutbound(t, app, { [`GET 127.0.0.1:${closed} error`]: 1 })
})

t.test('counts an upload that waits for 100, and one that is refused', async t => {
  const app = await startOutbound(t)
  const asking = (path: string): ClientRequest => http.request(`${url}${path}`, { method: 'PUT', headers: { expect: '100-continue' } })
  const sent = asking('/echo')
  sent.flushHeaders()
  await once(sent, 'continue')
  t.equal(await answerTo(sent.end('body')), 'body')
  const refused = asking('/refuse')
  refused.flushHeaders()
  t.equal(await answerTo(refused), '')
  refused.destroy()
  await expectOutbound(t, app, { [`PUT ${host} 200`]: 1, [`PUT ${host} 417`]: 1 })
})

t.test('counts each try where a kept connection turns out to be closed', async t => {
  const app = await startOutbound(t)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  t.equal(await answerTo(http.get(`${url}/ok`, { agent })), 'ok')
  const stale = http.get(`${url}/hangup`, { agent })
  t.match((await once(stale, 'error'))[0], { code: 'ECONNRESET' })
  t.ok(stale.reusedSocket)
  t.equal(await answerTo(http.get(`${url}/ok`, { agent })), 'ok')
  await expectOutbound(t, app, { [`GET ${host} 200`]: 2, [`GET ${host} error`]: 1 })
})

t.test('counts a WebSocket of ws', async t => {
  const app = await startOutbound(t)
  const socket = new WebSocket(`${url.replace('http', 'ws')}/upgrade`)
  // The target shakes hands in another way.
  await once(socket, 'error')
  await once(new WebSocket(`${url.replace('http', 'ws')}/refuse`), 'error')
  await expectOutbound(t, app, { [`GET ${host} 101`]: 1, [`GET ${host} 403`]: 1 })
})

t.test('counts over a Unix socket by the host of the options', async t => {
  const app = await startOutbound(t)
  const socketPath = join(tmpdir(), `vitals-${randomUUID()}.sock`)
  await startTarget(t, { listen: { path: socketPath } })
  t.equal(await answerTo(http.get({ socketPath, path: '/ok' })), 'ok')
  t.equal(await answerTo(http.get({ socketPath, path: '/ok', host: 'docker' })), 'ok')
  await expectOutbound(t, app, { 'GET localhost 200': 1, 'GET docker 200': 1 })
})

t.test('counts https, and a certificate that is not trusted', async t => {
  const app = await startOutbound(t)
  const secure = await startTarget(t, { kind: 'https' })
  t.equal(await answerTo(https.get(`${secure.url}/ok`, { rejectUnauthorized: false })), 'ok')
  await once(https.get(`${secure.url}/ok`), 'error')
  await expectOutbound(t, app, { [`GET ${secure.host} 200`]: 1, [`GET ${secure.host} error`]: 1 })
})

t.test('counts requests that wait for a socket, and those that are given up while they do', async t => {
  const app = await startOutbound(t)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const requests = Array.from({ length: 5 }, () => http.get(`${url}/ok`, { agent }))
  t.strictSame((await readBooks(app)).inProgress, { [host]: 5 })
  const given = requests.pop()!
  given.on('error', () => {}).destroy()
  await Promise.all(requests.map(answerTo))
  await expectOutbound(t, app, { [`GET ${host} 200`]: 4, [`GET ${host} error`]: 1 })
})

t.test('counts what is given up by abort, destroy and timeout, at any time', async t => {
  const app = await startOutbound(t)
  const closed = async (request: ClientRequest): Promise<unknown> => await new Promise(resolve => { request.on('error', () => {}).once('close', resolve) })
  const aborted = http.get(`${url}/ok`)
  aborted.abort()
  const never = http.request(`${url}/ok`, { method: 'POST' })
  never.destroy()
  await Promise.all([closed(aborted), closed(never)])
  const silent = http.get(`${url}/silent`)
  await once(target.arrivals, '/silent')
  silent.abort()
  await closed(silent)
  const slow = http.get(`${url}/silent`, { timeout: 5 })
  slow.on('timeout', () => slow.destroy(new Error('too slow')))
  await closed(slow)
  const half = http.get(`${url}/half`)
  await once(half, 'response')
  half.destroy()
  await closed(half)
  const reset = http.get(`${url}/half`)
  const [response] = await once(reset, 'response') as [IncomingMessage]
  response.on('error', () => {}).destroy(new Error('unwanted'))
  await closed(reset)
  await expectOutbound(t, app, { [`GET ${host} error`]: 3, [`POST ${host} error`]: 1, [`GET ${host} 200`]: 2 })
})

t.test('counts a response that nobody reads: at once without a listener, when it is given up with one', async t => {
  const app = await startOutbound(t)
  const agent = new http.Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  await once(http.get(`${url}/ok`, { agent }), 'close')
  const [whole] = await once(http.get(`${url}/ok`, { agent }), 'response') as [IncomingMessage]
  t.strictSame((await readBooks(app)).inProgress, { [host]: 1 })
  whole.destroy()
  await expectOutbound(t, app, { [`GET ${host} 200`]: 2 })
})

t.test('counts a response that nobody has read when its connection closes, and not again when it is read or given up', async t => {
  const app = await startOutbound(t)
  const agent = new http.Agent({ keepAlive: false })
  const unread = async (method: string): Promise<IncomingMessage> => {
    const request = http.request(`${url}/ok`, { method, agent }).end()
    const closed = once(request, 'close')
    const [response] = await once(request, 'response') as [IncomingMessage]
    await closed
    return response
  }
  const [read, left] = [await unread('GET'), await unread('GET'), await unread('HEAD')]
  await expectOutbound(t, app, { [`GET ${host} 200`]: 2, [`HEAD ${host} 200`]: 1 })
  t.equal(await text(read), 'ok')
  left.destroy()
  await expectOutbound(t, app, { [`GET ${host} 200`]: 2, [`HEAD ${host} 200`]: 1 })
})

t.test('counts a response that nobody reads when its server closes the idle connection', async t => {
  const app = await startOutbound(t)
  const { server, url, host } = await startTarget(t)
  const request = http.get(`${url}/ok`, { agent: new http.Agent({ keepAlive: true }) })
  await once(request, 'response')
  t.strictSame((await readBooks(app)).inProgress, { [host]: 1 })
  t.ok(await eventually(() => {
    (server as http.Server).closeIdleConnections()
    return request.destroyed
  }))
  await expectOutbound(t, app, { [`GET ${host} 200`]: 1 })
})

t.test('counts what the constructor throws at, in each store', async t => {
  const apps = [await startOutbound(t), await startOutbound(t)]
  const agent = Object.assign(new http.Agent(), { createConnection () { throw new TypeError('never') } })
  t.throws(() => http.get(`${url}/ok`, { agent }), { message: 'never' })
  t.throws(() => http.get({ host: '127.0.0.1', port: 99_999 }), { code: 'ERR_SOCKET_BAD_PORT' })
  for (const app of apps) await expectOutbound(t, app, { [`GET ${host} error`]: 1, 'GET other error': 1 })
})

t.test('counts once what an agent finds no connection for', async t => {
  const app = await startOutbound(t)
  const agent = Object.assign(new http.Agent(), { createConnection (_: unknown, done: (error: Error) => void) { done(new Error('no way')) } })
  t.match((await once(http.get(`${url}/ok`, { agent: agent as never }), 'error'))[0], { message: 'no way' })
  await expectOutbound(t, app, { [`GET ${host} error`]: 1 })
})

t.test('counts through an agent that takes requests in its own way', async t => {
  const app = await startOutbound(t)
  const agent = Object.assign(new EventEmitter(), {
    protocol: 'http:',
    defaultPort: 80,
    addRequest (request: ClientRequest & { onSocket (socket: net.Socket): void }) { setImmediate(() => request.onSocket(net.connect(port, '127.0.0.1'))) }
  })
  t.equal(await answerTo(http.get(`${url}/ok`, { agent: agent as unknown as http.Agent })), 'ok')
  await expectOutbound(t, app, { [`GET ${host} 200`]: 1 })
})

t.test('counts from the first on what such an agent finds no connection for, and what is given up while it looks', async t => {
  const app = await startOutbound(t)
  const agent = Object.assign(new EventEmitter(), { protocol: 'http:', defaultPort: 80, addRequest () {} })
  const ask = (): ClientRequest => http.get(`${url}/ok`, { agent: agent as unknown as http.Agent })
  const refuse = async (request: ClientRequest): Promise<void> => {
    const failed = once(request, 'error')
    request.emit('error', new Error('no way'))
    t.match((await failed)[0], { message: 'no way' })
  }
  await refuse(ask())
  const told = ask()
  // Node publishes this itself from 22.12 on.
  diagnosticsChannel.channel('http.client.request.created').publish({ request: told })
  t.strictSame((await readBooks(app)).inProgress, { [host]: 1 })
  await refuse(told)
  const silent = Object.assign(new EventEmitter(), { protocol: 'http:', defaultPort: 80, addRequest (request: ClientRequest & { onSocket (socket: null, error?: Error): void }) { setImmediate(() => request.onSocket(null)) } })
  const given = http.get(`${url}/ok`, { agent: silent as unknown as http.Agent })
  given.abort()
  await once(given, 'close')
  await expectOutbound(t, app, { [`GET ${host} error`]: 3 })
  await app.close()
  t.notOk(diagnosticsChannel.hasSubscribers('http.client.request.created'))
})

t.test('counts what is told to somebody who keeps events from others', async t => {
  const { prototype } = http.ClientRequest as unknown as { prototype: { emit?: unknown } }
  const { emit } = http.ClientRequest.prototype
  const app = await startOutbound(t)
  const ours = prototype.emit
  prototype.emit = function (this: ClientRequest, ...args: Parameters<typeof emit>) { return Reflect.apply(emit, this, args) as boolean }
  t.teardown(() => { prototype.emit = ours })
  t.equal(await answerTo(http.get(`${url}/ok`)), 'ok')
  const half = http.get(`${url}/half`).on('error', () => {})
  const [response] = await once(half, 'response') as [IncomingMessage]
  const closed = new Promise(resolve => response.once('close', resolve))
  response.on('error', () => {}).destroy(new Error('unwanted'))
  await closed
  await once(http.get(`http://127.0.0.1:${await freePort()}/`), 'error')
  const { requests, inProgress } = await readBooks(app)
  t.match(requests, { [`GET ${host} 200`]: 2 })
  t.equal(Object.keys(requests).filter(key => key.endsWith(' error')).length, 1)
  t.strictSame(inProgress, {})
})

t.test('takes no error for the end of a request that goes on', async t => {
  const app = await startOutbound(t)
  const request = http.request(`${url}/echo`, { method: 'POST' })
  request.end('body')
  request.write('late')
  const [[error], answer] = await Promise.all([once(request, 'error', { signal: AbortSignal.timeout(5_000) }), new Promise<string>((resolve, reject) => request.on('response', response => { text(response).then(resolve, reject) }))])
  t.match(error, { code: 'ERR_STREAM_WRITE_AFTER_END' })
  t.equal(answer, 'body')
  await expectOutbound(t, app, { [`POST ${host} 200`]: 1 })
})

t.test('has the status of a response that came with what the request was aborted for', async t => {
  const app = await startOutbound(t)
  const server = net.createServer(socket => { socket.on('error', () => {}).once('data', () => socket.write('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')) }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const request = http.get({ host: '127.0.0.1', port: (server.address() as net.AddressInfo).port })
  request.on('information', () => request.abort()).on('error', () => {})
  await once(request, 'close')
  await expectOutbound(t, app, { [`GET 127.0.0.1:${(server.address() as net.AddressInfo).port} 200`]: 1 })
})

t.test('counts a response that is given up unread, without listeners, after its connection has closed', async t => {
  const app = await startOutbound(t)
  const request = http.get(`${url}/ok`, { agent: new http.Agent({ keepAlive: false }) })
  const closed = once(request, 'close')
  const [response] = await once(request, 'response') as [IncomingMessage]
  await closed
  response.removeAllListeners()
  response.destroy()
  await expectOutbound(t, app, { [`GET ${host} 200`]: 1 })
})

t.test('leaves requests alone that were made without the constructor', async t => {
  const app = await startOutbound(t)
  t.equal(http.ClientRequest.prototype.emit.call(Object.create(http.ClientRequest.prototype) as ClientRequest, 'socket'), false)
  t.equal(app.vitals.read('vitals_record_errors_total', { metric: 'http_client_request_duration_seconds' }), undefined)
  await expectOutbound(t, app, {})
})

t.test('counts a response that has lost all its listeners', async t => {
  const app = await startOutbound(t)
  const request = http.get(`${url}/ok`)
  const [response] = await once(request, 'response') as [IncomingMessage]
  request.removeAllListeners()
  // Node's own too, so that the connection is given back by nobody.
  response.removeAllListeners()
  t.teardown(() => request.destroy())
  t.equal(await text(response), 'ok')
  await expectOutbound(t, app, { [`GET ${host} 200`]: 1 })
})

t.test('counts the legacy call of an agent', async t => {
  const app = await startOutbound(t)
  const agent = new http.Agent() as http.Agent & { addRequest (request: ClientRequest, host: string, port: number): void }
  const calling = Object.assign(new EventEmitter(), {
    protocol: 'http:',
    defaultPort: 80,
    addRequest: (request: ClientRequest) => agent.addRequest(request, '127.0.0.1', port)
  })
  t.equal(await answerTo(http.get(`${url}/ok`, { agent: calling as unknown as http.Agent })), 'ok')
  await expectOutbound(t, app, { [`GET ${host} 200`]: 1 })
})
