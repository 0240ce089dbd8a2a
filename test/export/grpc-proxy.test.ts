import { spawn } from 'node:child_process'
import diagnosticsChannel from 'node:diagnostics_channel'
import { once } from 'node:events'
import http from 'node:http'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { startConnectProxy } from '../support/connect-proxy.ts'
import { startReceiver } from '../support/otlp-receiver.ts'
import { openStore } from '../support/store.ts'

const script = fileURLToPath(new URL('../support/unattended-services.ts', import.meta.url))
const INTERVAL_MS = 6_000

t.test('a push over gRPC goes through a proxy, and what it asks of that is none of the application\'s requests', async t => {
  const receiver = await startReceiver(t)
  const { url, asked } = await startConnectProxy(t)
  process.env['grpc_proxy'] = url
  const { vitals, scrape } = await openStore(t, { outbound: true, otlp: { protocol: 'grpc', endpoint: receiver.grpcUrl, intervalMs: 3_600_000 } })
  t.teardown(() => { delete process.env['grpc_proxy'] })
  vitals.counter({ name: 'tasks_total', help: 'Tasks.' }).inc(3)
  await vitals.push()
  t.equal(receiver.take().metrics.get('fastify-vitals tasks_total')?.points[0]!.value, 3)
  t.same(asked, [new URL(receiver.grpcUrl).host])
  http.get(receiver.httpUrl).on('response', response => response.resume()).end()
  await vitals.push()
  const exposition = await scrape()
  const { host } = new URL(receiver.httpUrl)
  t.same(exposition.get('http_client_requests_total')!.samples.map(({ labels, value }) => [labels['method'], labels['host'], value]), [['GET', host, 1]])
  t.same(exposition.get('http_client_requests_in_progress')!.samples.map(({ labels, value }) => [labels['host'], value]), [[host, 0]])
})

t.test('a method that somebody has put on the agent of the process is called and stays', async t => {
  const receiver = await startReceiver(t)
  const { url } = await startConnectProxy(t)
  process.env['grpc_proxy'] = url
  const { globalAgent } = http
  http.globalAgent = new http.Agent()
  const agent = http.globalAgent as unknown as { addRequest: (...args: unknown[]) => unknown }
  const seen: unknown[] = []
  const { addRequest } = agent
  agent.addRequest = function (...args) {
    seen.push((args[0] as { method: string }).method)
    return addRequest.apply(this, args)
  }
  const { addRequest: own } = agent
  t.teardown(() => {
    delete process.env['grpc_proxy']
    http.globalAgent = globalAgent
  })
  const { vitals } = await openStore(t, { otlp: { protocol: 'grpc', endpoint: receiver.grpcUrl, intervalMs: 3_600_000 } })
  await vitals.push()
  t.same(seen, ['CONNECT'])
  t.equal(agent.addRequest, own)
})

t.test('an agent of the process that cannot be changed is used as it is', async t => {
  class StrictAgent extends http.Agent {
    readonly #scheme = 'http:'
    scheme (): string { return this.#scheme }
  }
  const receiver = await startReceiver(t)
  const { url, asked } = await startConnectProxy(t)
  process.env['grpc_proxy'] = url
  const { globalAgent } = http
  const agent = Object.preventExtensions(Object.defineProperty(new StrictAgent(), 'protocol', { get (this: StrictAgent) { return this.scheme() } }))
  http.globalAgent = agent
  t.teardown(() => {
    delete process.env['grpc_proxy']
    http.globalAgent = globalAgent
  })
  const agents = new Set<unknown>()
  const made = ({ request }: { readonly request: object }): void => { agents.add(Reflect.get(request, 'agent')) }
  diagnosticsChannel.subscribe('http.client.request.start', made as never)
  t.teardown(() => diagnosticsChannel.unsubscribe('http.client.request.start', made as never))
  const { vitals, scrape } = await openStore(t, { outbound: true, otlp: { protocol: 'grpc', endpoint: receiver.grpcUrl, intervalMs: 3_600_000 } })
  vitals.counter({ name: 'tasks_total', help: 'Tasks.' }).inc(3)
  const inherited = Reflect.get(http.Agent.prototype, 'addRequest') as unknown
  await vitals.push()
  t.equal(receiver.take().metrics.get('fastify-vitals tasks_total')?.points[0]!.value, 3)
  t.same(asked, [new URL(receiver.grpcUrl).host])
  t.equal(Reflect.get(http.Agent.prototype, 'addRequest'), inherited)
  t.same(agents, new Set([agent]), 'the request has the agent of the process')
  t.equal((await scrape()).get('http_client_requests_total')?.samples.length ?? 0, 0, 'none of the application\'s')
})

t.test('who names the agent of the process for each request, and who changes it meanwhile, changes nothing', async t => {
  const receiver = await startReceiver(t)
  const { url, asked } = await startConnectProxy(t)
  process.env['grpc_proxy'] = url
  const { globalAgent, request } = http
  t.teardown(() => {
    delete process.env['grpc_proxy']
    http.globalAgent = globalAgent
    http.request = request
  })
  const agent = http.globalAgent = new http.Agent()
  const { addRequest } = agent as unknown as { addRequest: unknown }
  http.request = function (options: http.RequestOptions, ...rest: never[]) {
    const made = request({ ...options, agent }, ...rest)
    Object.assign(agent, { addRequest })
    return made
  } as typeof request
  const { vitals, scrape } = await openStore(t, { outbound: true, otlp: { protocol: 'grpc', endpoint: receiver.grpcUrl, intervalMs: 3_600_000 } })
  await vitals.push()
  t.same(asked, [new URL(receiver.grpcUrl).host])
  t.equal(Object.getOwnPropertyDescriptor(agent, 'addRequest')?.value, addRequest, 'what somebody puts there meanwhile stays')
  t.equal((await scrape()).get('http_client_requests_total')?.samples.length ?? 0, 0, 'none of the application\'s')
})

t.test('what is asked of the proxy is none of the application\'s requests where it waits for one of those either', async t => {
  const receiver = await startReceiver(t)
  const { server, url, asked } = await startConnectProxy(t)
  const { globalAgent } = http
  http.globalAgent = new http.Agent({ maxSockets: 1 })
  process.env['grpc_proxy'] = url
  t.teardown(() => {
    delete process.env['grpc_proxy']
    http.globalAgent = globalAgent
  })
  const { vitals, scrape } = await openStore(t, { outbound: true, otlp: { protocol: 'grpc', endpoint: receiver.grpcUrl, intervalMs: 3_600_000 } })
  const [[, response]] = await Promise.all([once(server, 'request'), http.get(url).on('response', response => response.resume())])
  const pushed = vitals.push()
  const agent = http.globalAgent as unknown as { readonly requests: Readonly<Record<string, readonly { readonly method: string }[]>> }
  while (!Object.values(agent.requests).flat().some(({ method }) => method === 'CONNECT')) await setImmediate()
  t.same(asked, [], 'it is queued')
  response.end()
  await pushed
  t.same(asked, [new URL(receiver.grpcUrl).host])
  const exposition = await scrape()
  t.same(exposition.get('http_client_requests_total')!.samples.map(({ labels, value }) => [labels['method'], value]), [['GET', 1]])
  t.same(exposition.get('http_client_requests_in_progress')!.samples.map(({ value }) => value), [0])
})

t.test('one that nobody waits for holds no process, though the proxy never answers', async t => {
  const { server, url } = await startConnectProxy(t, { isSilent: true })
  const options = [{ protocol: 'grpc', endpoint: 'http://127.0.0.1:1', intervalMs: INTERVAL_MS }]
  const child = spawn(process.execPath, [...process.execArgv, script, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, grpc_proxy: url } })
  t.teardown(() => child.kill('SIGKILL'))
  const said = text(child.stdout)
  await once(server, 'connect')
  child.stdin.end()
  t.equal((await once(child, 'exit'))[0], 0)
  t.same(JSON.parse((await said).trim().split('\n').at(-1)!), [0], 'it was under way when the process ended by itself')
})
