import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import type { Test } from 'tap'
import { expectOutbound, readBooks, startOutbound } from './support/books.ts'
import type { Undici } from './support/senders.ts'
import { undicis } from './support/senders.ts'
import { startProxy, startTarget } from './support/target.ts'

const insecure = { rejectUnauthorized: false }

for (const { name, undici } of undicis) t.test(name, t => suite(t, undici))

async function suite (t: Test, undici: Undici): Promise<void> {
  const { Agent, BalancedPool, Client, MockAgent, Pool, ProxyAgent, RetryAgent, interceptors } = undici
  const target = await startTarget(t)
  const { url, host } = target

  await t.test('counts request, fetch, stream, pipeline and dispatch as the README shows them', async t => {
    const app = await startOutbound(t)
    const dispatcher = new Agent()
    t.teardown(() => dispatcher.close())
    const { statusCode, body } = await undici.request(`${url}/ok`, { dispatcher })
    t.equal(statusCode, 200)
    t.equal(await body.text(), 'ok')
    t.equal(await (await undici.fetch(`${url}/ok`, { dispatcher })).text(), 'ok')
    const written: Buffer[] = []
    await undici.stream(`${url}/chunks`, { dispatcher, opaque: written, method: 'GET' }, ({ opaque }) => new Writable({
      write (chunk: Buffer, _, done) {
        opaque.push(chunk)
        done()
      }
    }))
    t.equal(Buffer.concat(written).toString(), 'one two three')
    const parts: Buffer[] = []
    await pipeline(
      Readable.from([Buffer.from('through')]),
      undici.pipeline(`${url}/echo`, { dispatcher, method: 'POST' }, ({ body }) => body),
      new Writable({ write (chunk: Buffer, _, done) { parts.push(chunk); done() } })
    )
    t.equal(Buffer.concat(parts).toString(), 'through')
    await expectOutbound(t, app, { [`GET ${host} 200`]: 3, [`POST ${host} 200`]: 1 })
  })

  await t.test('counts each request of a pool, and of one connection with pipelining', async t => {
    const app = await startOutbound(t)
    const pool = new Pool(url, { connections: 2 })
    const client = new Client(url, { pipelining: 10 })
    t.teardown(() => Promise.all([pool.close(), client.close()]))
    await Promise.all([pool, client].flatMap(client => Array.from({ length: 20 }, async (_, i) => {
      const { body } = await client.request({ path: i % 2 === 0 ? '/ok' : '/status/404', method: 'GET' })
      await body.dump()
    })))
    await expectOutbound(t, app, { [`GET ${host} 200`]: 20, [`GET ${host} 404`]: 20 })
  })

  await t.test('counts each try of a retry, and each hop of a redirect', async t => {
    const app = await startOutbound(t)
    const dispatcher = new Agent()
    const retrying = new RetryAgent(dispatcher, { minTimeout: 1, maxRetries: 2 })
    t.teardown(() => dispatcher.close())
    const flaky = await retrying.request({ origin: url, path: `/flaky/${randomUUID()}`, method: 'GET' })
    t.equal(await flaky.body.text(), 'flaky')
    const composed = dispatcher.compose(interceptors.retry({ minTimeout: 1, maxRetries: 2 }), interceptors.redirect({ maxRedirections: 5 }))
    const again = await composed.request({ origin: url, path: `/flaky/${randomUUID()}`, method: 'GET' })
    t.equal(again.statusCode, 200)
    await again.body.dump()
    const moved = await composed.request({ origin: url, path: '/redirect/2', method: 'GET' })
    t.equal(await moved.body.text(), 'ok')
    await expectOutbound(t, app, { [`GET ${host} 503`]: 2, [`GET ${host} 200`]: 3, [`GET ${host} 302`]: 2 })
  })

  await t.test('counts once what is sent again behind a request that broke the connection', async t => {
    const app = await startOutbound(t)
    const client = new Client(url, { pipelining: 10 })
    t.teardown(() => client.destroy())
    const ask = async (path: string): Promise<string> => await (await client.request({ path, method: 'GET' })).body.text()
    t.equal(await ask('/ok'), 'ok')
    const broken = t.rejects(ask('/hangup'))
    t.strictSame(await Promise.all(Array.from({ length: 4 }, () => ask('/ok'))), ['ok', 'ok', 'ok', 'ok'])
    await broken
    await expectOutbound(t, app, { [`GET ${host} 200`]: 5, [`GET ${host} error`]: 1 })
  })

  await t.test('counts an upload that waits for 100', async t => {
    const app = await startOutbound(t)
    const client = new Client(url)
    t.teardown(() => client.close())
    const { body } = await client.request({ path: '/echo', method: 'PUT', body: 'body', expectContinue: true } as Parameters<typeof client.request>[0])
    t.equal(await body.text(), 'body')
    await expectOutbound(t, app, { [`PUT ${host} 200`]: 1 })
  })

  await t.test('counts through a balanced pool and a resolver, by where the connection goes', async t => {
    const app = await startOutbound(t)
    const pool = new BalancedPool([url])
    t.teardown(() => pool.close())
    await (await pool.request({ path: '/ok', method: 'GET' })).body.dump()
    const resolving = new Agent().compose(interceptors.dns({ lookup: (_origin, _options, done) => { done(null, [{ address: '127.0.0.1', ttl: 1_000, family: 4 }]) } }))
    t.teardown(() => resolving.close())
    await (await resolving.request({ origin: url.replace('127.0.0.1', 'named.example'), path: '/ok', method: 'GET' })).body.dump()
    await expectOutbound(t, app, { [`GET ${host} 200`]: 2 })
  })

  await t.test('counts a response that nobody reads as it came in, or when its reader gives up', async t => {
    const app = await startOutbound(t)
    const client = new Client(url)
    t.teardown(() => client.destroy())
    const { body: small } = await client.request({ path: '/ok', method: 'GET' })
    await expectOutbound(t, app, { [`GET ${host} 200`]: 1 })
    await small.dump()
    const { body: large } = await client.request({ path: '/large', method: 'GET' })
    t.strictSame((await readBooks(app)).inProgress, { [host]: 1 })
    large.on('error', () => {}).destroy()
    await expectOutbound(t, app, { [`GET ${host} 200`]: 2 })
  })

  await t.test('does not count what a MockAgent answers', async t => {
    const app = await startOutbound(t)
    const agent = new MockAgent()
    t.teardown(() => agent.close())
    agent.disableNetConnect()
    agent.get(url).intercept({ path: '/mocked' }).reply(200, 'mocked')
    const { body } = await agent.request({ origin: url, path: '/mocked', method: 'GET' })
    t.equal(await body.text(), 'mocked')
    await expectOutbound(t, app, {})
  })

  if ('cache' in interceptors) {
    await t.test('does not count what a cache answers', async t => {
      const app = await startOutbound(t)
      const dispatcher = new Agent().compose(interceptors.cache())
      t.teardown(() => dispatcher.close())
      for (let i = 0; i < 3; i++) t.equal(await (await dispatcher.request({ origin: url, path: '/cached', method: 'GET' })).body.text(), 'kept')
      await expectOutbound(t, app, { [`GET ${host} 200`]: 1 })
    })
  }

  await t.test('counts an upgrade when the connection is taken over, and one that is refused', async t => {
    const app = await startOutbound(t)
    const client = new Client(url)
    t.teardown(() => client.destroy())
    const { socket } = await client.upgrade({ path: '/echo', protocol: 'echo' })
    socket.write('hello')
    t.equal(String((await once(socket, 'data'))[0]), 'hello')
    await expectOutbound(t, app, { [`GET ${host} 101`]: 1 })
    socket.destroy()
    await t.rejects(client.upgrade({ path: '/refuse', protocol: 'echo' }))
    await expectOutbound(t, app, { [`GET ${host} 101`]: 1, [`GET ${host} 403`]: 1 })
  })

  await t.test('counts a tunnel as a request to the proxy, and what goes through it to its own host', async t => {
    const app = await startOutbound(t)
    const proxy = await startProxy(t)
    const secure = await startTarget(t, { kind: 'https' })
    const dispatcher = new ProxyAgent({ uri: proxy.url, requestTls: insecure, proxyTunnel: true })
    t.teardown(() => dispatcher.close())
    const { body } = await undici.request(`${secure.url}/ok`, { dispatcher })
    t.equal(await body.text(), 'ok')
    await t.rejects(undici.request('https://refused.invalid/', { dispatcher }))
    await expectOutbound(t, app, {
      [`CONNECT ${proxy.host} 200`]: 1,
      [`GET ${secure.host} 200`]: 1,
      [`CONNECT ${proxy.host} 407`]: 1,
      'GET refused.invalid error': 1
    })
  })

  await t.test('counts a request in absolute form by its target, not its proxy', async t => {
    const app = await startOutbound(t)
    const proxy = await startProxy(t)
    const client = new Client(proxy.url)
    t.teardown(() => client.close())
    const { body } = await client.request({ path: `${url}/ok`, method: 'GET', headers: { host } })
    t.equal(await body.text(), 'ok')
    await expectOutbound(t, app, { [`GET ${host} 200`]: 1 })
  })

  await t.test('counts over a Unix socket by the host of the URL', async t => {
    const app = await startOutbound(t)
    const path = join(tmpdir(), `vitals-${randomUUID()}.sock`)
    await startTarget(t, { listen: { path } })
    const client = new Client('http://LocalHost', { socketPath: path })
    t.teardown(() => client.close())
    const { body } = await client.request({ path: '/ok', method: 'GET' })
    t.equal(await body.text(), 'ok')
    await expectOutbound(t, app, { 'GET localhost 200': 1 })
  })

  await t.test('counts over HTTP/2 what ends, is aborted, reset, and left by its server', async t => {
    const app = await startOutbound(t)
    const secure = await startTarget(t, { kind: 'http2' })
    const client = new Client(secure.url, { allowH2: true, connect: insecure })
    t.teardown(() => client.destroy())
    const ask = async (path: string, options = {}): Promise<string> => await (await client.request({ path, method: 'GET', ...options })).body.text()
    t.equal(await ask('/ok'), 'ok')
    t.equal(await ask('/echo', { method: 'POST', body: 'over streams' }), 'over streams')
    t.equal(await ask('/ok', { method: 'HEAD' }), '')
    await Promise.all(Array.from({ length: 10 }, () => ask('/chunks')))
    const abort = new AbortController()
    const silent = t.rejects(ask('/silent', { signal: abort.signal }))
    await once(secure.arrivals, '/silent')
    abort.abort()
    await silent
    await t.rejects(ask('/hangup'))
    const half = await client.request({ path: '/half', method: 'GET' })
    half.body.on('error', () => {}).destroy()
    await expectOutbound(t, app, {
      [`GET ${secure.host} 200`]: 12,
      [`POST ${secure.host} 200`]: 1,
      [`HEAD ${secure.host} 200`]: 1,
      [`GET ${secure.host} error`]: 2
    })
  })

  await t.test('counts a tunnel over HTTP/2', async t => {
    const app = await startOutbound(t)
    const secure = await startTarget(t, { kind: 'http2' })
    const client = new Client(secure.url, { allowH2: true, connect: insecure })
    t.teardown(() => client.destroy())
    const { socket } = await client.connect({ path: 'elsewhere.example:443' })
    socket.on('error', () => {}).write('hello')
    t.equal(String((await once(socket, 'data'))[0]), 'hello')
    await expectOutbound(t, app, { [`CONNECT ${secure.host} 200`]: 1 })
    socket.destroy()
  })

  await t.test('counts a certificate that is not trusted, timeouts, and a client that is destroyed', async t => {
    const app = await startOutbound(t)
    const secure = await startTarget(t, { kind: 'https' })
    const dispatcher = new Agent()
    t.teardown(() => dispatcher.destroy())
    await t.rejects(undici.request(`${secure.url}/ok`, { dispatcher }))
    await t.rejects(undici.request(`${url}/silent`, { dispatcher, headersTimeout: 10 }))
    const half = await undici.request(`${url}/half`, { dispatcher, bodyTimeout: 10 })
    await t.rejects(text(half.body))
    const client = new Client(url)
    const waiting = ['/silent', '/ok'].map(path => t.rejects(client.request({ path, method: 'GET' })))
    await once(target.arrivals, '/silent')
    await Promise.all([client.destroy(), ...waiting])
    await expectOutbound(t, app, { [`GET ${secure.host} error`]: 1, [`GET ${host} error`]: 3, [`GET ${host} 200`]: 1 })
  })
}
