import diagnosticsChannel from 'node:diagnostics_channel'
import { EventEmitter, once } from 'node:events'
import http from 'node:http'
import type { IncomingMessage } from 'node:http'
import net from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { createRegistry } from '../../../lib/index.ts'
import { turn } from '../../support/gate.ts'
import { openStore } from '../../support/store.ts'
import { expectOutbound, startOutbound } from './support/books.ts'
import { startTarget } from './support/target.ts'

const target = await startTarget(t)
const { url, host } = target

const CHANNELS = [
  'undici:request:create', 'undici:request:headers', 'undici:request:trailers', 'undici:request:error',
  'http.client.request.created', 'http.client.request.error', 'http.client.response.finish'
]
const isListenedTo = (): boolean => CHANNELS.some(name => diagnosticsChannel.hasSubscribers(name))

const get = async (path: string): Promise<string> => {
  const [response] = await once(http.get(`${url}${path}`), 'response') as [IncomingMessage]
  return await text(response)
}
/** Gives a request up. */
const leave = async (request: http.ClientRequest): Promise<void> => { await new Promise(resolve => request.on('error', () => {}).once('close', resolve).destroy()) }
const tapped = [[http.Agent, 'addRequest'], [http.ClientRequest, 'emit'], [http.IncomingMessage, 'emit']] as const
const taps = (): unknown[] => tapped.map(([{ prototype }, name]) => Object.getOwnPropertyDescriptor(prototype, name)?.value)

t.test('is off unless it is asked for, and leaves nothing behind', async t => {
  const before = taps()
  const { app: off } = await openStore(t)
  t.notOk(isListenedTo())
  t.same(taps(), before)
  t.notMatch(await off.vitals.render(), /http_client_/)
  const disabled = await startOutbound(t, { enabled: false })
  t.notOk(isListenedTo())
  await disabled.close()
  const app = await startOutbound(t)
  t.ok(isListenedTo())
  await app.close()
  t.notOk(isListenedTo())
  t.strictSame(taps(), before)
  t.strictSame(before.slice(1), [undefined, undefined])
})

t.test('counts what applications with stores of their own see in each, and what applications with one store see once', async t => {
  const alone = await startOutbound(t)
  const registry = createRegistry()
  const one = await startOutbound(t, { registry })
  const other = await startOutbound(t, { registry })
  await (await fetch(`${url}/ok`)).text()
  await get('/ok')
  for (const app of [alone, one, other]) await expectOutbound(t, app, { [`GET ${host} 200`]: 2 })
  await one.close()
  await get('/ok')
  await expectOutbound(t, other, { [`GET ${host} 200`]: 3 })
  await other.close()
  await get('/ok')
  t.equal(registry.read('http_client_requests_total', { method: 'GET', host, status: 200 }) as unknown, 3)
  const again = await startOutbound(t, { registry })
  await get('/ok')
  await expectOutbound(t, again, { [`GET ${host} 200`]: 4 })
  await expectOutbound(t, alone, { [`GET ${host} 200`]: 5 })
})

t.test('puts the gauge to rest for what is under way when it ends, and counts none of it', async t => {
  const registry = createRegistry()
  const app = await startOutbound(t, { registry })
  const request = http.get(`${url}/silent`)
  await once(target.arrivals, '/silent')
  const abort = new AbortController()
  const asked = t.rejects(fetch(`${url}/silent`, { signal: abort.signal }))
  await once(target.arrivals, '/silent')
  t.equal(registry.read('http_client_requests_in_progress', { host }) as unknown, 2)
  await app.close()
  t.equal(registry.read('http_client_requests_in_progress', { host }) as unknown, 0)
  request.on('error', () => {}).destroy()
  abort.abort()
  await Promise.all([asked, new Promise(resolve => request.once('close', resolve))])
  t.equal(registry.read('http_client_requests_in_progress', { host }) as unknown, 0)
  t.equal(registry.read('http_client_requests_total', { method: 'GET', host, status: 'error' }) as unknown, undefined)
})

t.test('has a gauge at rest after requests that it forgot or lost while they were under way', async t => {
  const registry = createRegistry()
  const app = await startOutbound(t, { registry })
  const inProgress = (): unknown => registry.read('http_client_requests_in_progress', { host })
  const gauge = registry.gauge({ name: 'http_client_requests_in_progress', help: 'Outbound requests whose response has not ended.', labels: ['host'] })
  const silent = async (): Promise<http.ClientRequest> => {
    const request = http.get(`${url}/silent`)
    await once(target.arrivals, '/silent')
    return request
  }
  const reset = await silent()
  gauge.reset()
  await leave(reset)
  t.equal(inProgress(), 0)
  const removed = await silent()
  gauge.remove({ host })
  const kept = await silent()
  await leave(removed)
  t.equal(inProgress(), 1)
  gauge.reset()
  await app.close()
  t.equal(inProgress(), 0)
  await leave(kept)
})

t.test('has hosts beyond the limit in one series, which comes to rest too', async t => {
  const app = await startOutbound(t, { limits: { seriesPerMetric: 1, series: 100 } })
  await get('/ok')
  const other = await startTarget(t)
  const request = http.get(`${other.url}/silent`)
  await once(other.arrivals, '/silent')
  const overflow = async (): Promise<string | undefined> => /http_client_requests_in_progress\{overflow="true"\} (\d+)/.exec(await app.vitals.render())?.[1]
  t.equal(await overflow(), '1')
  await new Promise(resolve => request.on('error', () => {}).once('close', resolve).destroy())
  t.equal(await overflow(), '0')
  t.match(await app.vitals.render(), /http_client_requests_total\{overflow="true"\} 1/)
})

t.test('a series begins with its first request, whatever was counted before and whenever it is read', async t => {
  const app = await startOutbound(t, { naming: 'semconv' })
  for (const path of ['/ok', '/ok', '/status/503', '/status/503', '/status/503']) await get(path)
  await leave(http.get(`${url}/silent`))
  const lastMs = Date.now()
  while (Date.now() === lastMs) await turn()
  const created = [...(await app.vitals.render({ format: 'openmetrics' })).matchAll(/http_client_request_duration_seconds_created\{.*\} (.*)/g)].map(([, seconds]) => Number(seconds) * 1_000)
  t.equal(created.length, 3)
  for (const createdMs of created) t.ok(createdMs <= lastMs, `${createdMs} is not after ${lastMs}`)
})

t.test('what is kept for the way out takes no place from what is shown', async t => {
  let isKept = false
  for (let series = 1; !isKept; series++) {
    const registry = createRegistry({ limits: { series } })
    const app = await startOutbound(t, { registry, otlp: { endpoint: 'http://127.0.0.1:1', intervalMs: 3_600_000, closeTimeoutMs: 1 } })
    await get('/ok')
    await leave(http.get(`${url}/silent`))
    const hidden = (await registry.collect()).families.find(({ name }) => name === 'http_client_request_error_duration_seconds')
    isKept = hidden?.banks[0]?.series.some(({ text }) => text.includes(host)) === true
    if (isKept) t.equal(app.vitals.read('http_client_requests_total', { method: 'GET', host, status: 'error' }), 1, `of ${series} series`)
    await app.close()
  }
})

t.test('is seen by the application that asked for it alone', async t => {
  const app = await startOutbound(t)
  const without = await startOutbound(t, { outbound: false })
  await get('/ok')
  await expectOutbound(t, app, { [`GET ${host} 200`]: 1 })
  t.notMatch(await without.vitals.render(), /http_client_/)
  await without.close()
  await get('/ok')
  await expectOutbound(t, app, { [`GET ${host} 200`]: 2 })
})

t.test('does not hear of requests that were made before it began', async t => {
  const early = http.get(`${url}/half`)
  const [response] = await once(early, 'response') as [IncomingMessage]
  const waiting = http.get(`${url}/silent`)
  await once(waiting, 'socket')
  const app = await startOutbound(t)
  await once(target.arrivals, '/silent')
  response.on('error', () => {})
  early.destroy()
  waiting.on('error', () => {}).destroy()
  await new Promise(resolve => waiting.once('close', resolve))
  t.equal(await get('/ok'), 'ok')
  await expectOutbound(t, app, { [`GET ${host} 200`]: 1 })
})

t.test('leaves the taps of others in their place', async t => {
  const app = await startOutbound(t)
  const prototype = http.Agent.prototype as never as { addRequest: (...args: unknown[]) => unknown }
  const ours = prototype.addRequest
  let heard = 0
  prototype.addRequest = function (...args) {
    heard++
    return ours.apply(this, args)
  }
  const theirs = prototype.addRequest
  await get('/ok')
  await app.close()
  t.equal(prototype.addRequest, theirs)
  await get('/ok')
  t.equal(heard, 2)
  const again = await startOutbound(t)
  await get('/ok')
  await expectOutbound(t, again, { [`GET ${host} 200`]: 1 })
  prototype.addRequest = ours
  await again.close()
  t.not(prototype.addRequest, ours)
})

t.test('begins anew where others took its taps away with theirs, and leaves nothing behind', async t => {
  const before = taps()
  // As spies of test runners do.
  const restores = tapped.map(([{ prototype }, name]) => {
    const methods = prototype as unknown as Record<string, (...args: unknown[]) => unknown>
    const own = Object.getOwnPropertyDescriptor(methods, name)
    const original = methods[name]!
    methods[name] = function (...args) { return original.apply(this, args) }
    return () => { if (own === undefined) Reflect.deleteProperty(methods, name); else Object.defineProperty(methods, name, own) }
  })
  const [restoreAgent, ...restoreEmits] = restores
  const app = await startOutbound(t)
  const all = taps()
  restoreAgent!()
  await app.close()
  const again = await startOutbound(t)
  for (const [i, tap] of taps().entries()) t.notOk([before[i], all[i]].includes(tap), `${i} is tapped`)
  const request = http.get(`${url}/silent`)
  t.equal(again.vitals.read('http_client_requests_in_progress', { host }), 1, 'it is told of from the first on')
  await leave(request)
  await again.close()
  for (const restore of restoreEmits) restore()
  t.strictSame(taps(), before)
})

t.test('has what others put on all emitters hear of requests', async t => {
  await startOutbound(t)
  const { prototype } = EventEmitter
  const { emit } = prototype
  const heard: unknown[] = []
  prototype.emit = function (this: unknown, event: string, ...args: unknown[]) {
    if (this instanceof http.ClientRequest) heard.push(event)
    return Reflect.apply(emit, this, [event, ...args]) as boolean
  }
  t.teardown(() => { prototype.emit = emit })
  await get('/ok')
  for (const event of ['socket', 'response', 'close']) t.ok(heard.includes(event), event)
})

t.test('leaves the subscribers of others alone, and survives messages of another shape', async t => {
  const heard: string[] = []
  const subscribers = CHANNELS.map(name => ({ name, listener: () => { heard.push(name) } }))
  for (const { name, listener } of subscribers) diagnosticsChannel.subscribe(name, listener)
  const { app, vitals, warnings } = await openStore(t, { outbound: true })
  for (const name of CHANNELS) diagnosticsChannel.channel(name).publish({})
  const unreadable = <T extends object> (object: T): T => new Proxy(object, {
    get (target, key, receiver) {
      if (typeof key === 'symbol' && key.description === 'vitals.outbound') throw new Error('not to be read')
      return Reflect.get(target, key, receiver) as unknown
    }
  })
  const request = unreadable(new EventEmitter()) as http.ClientRequest
  t.equal(http.ClientRequest.prototype.emit.call(request, 'socket'), false)
  for (const event of ['end', 'close']) t.equal(Object.assign(new http.IncomingMessage(new net.Socket()), { req: request }).emit(event), false)
  t.throws(() => { (http.Agent.prototype as never as { addRequest (request: unknown): void }).addRequest.call(http.globalAgent, request) })
  t.equal(heard.length, CHANNELS.length)
  await get('/ok')
  await app.close()
  t.ok(heard.includes('http.client.response.finish'))
  for (const { name, listener } of subscribers) t.ok(diagnosticsChannel.unsubscribe(name, listener), `${name} kept its subscriber`)
  t.match(vitals.read('vitals_record_errors_total', { metric: 'http_client_request_duration_seconds' }), Number)
  t.equal(warnings.filter(text => text.includes('an outbound request could not be read')).length, 1)
})

t.test('leaves errors, options and what is asked of it as they were', async t => {
  await startOutbound(t)
  const { addRequest } = http.Agent.prototype as never as { addRequest: { name: string, length: number } }
  t.match({ name: addRequest.name, length: addRequest.length }, { name: 'addRequest', length: 4 })
  const { emit } = http.ClientRequest.prototype as never as { emit: { name: string, length: number } }
  t.match({ name: emit.name, length: emit.length }, { name: EventEmitter.prototype.emit.name, length: EventEmitter.prototype.emit.length })
  const request = http.get(`${url}/hangup`)
  const [error] = await once(request, 'error')
  t.match(error, { code: 'ECONNRESET', message: 'socket hang up' })
  const [response] = await once(http.get(`${url}/ok`), 'response') as [IncomingMessage]
  t.equal(response.readableFlowing, null, 'nothing began to flow')
  response.resume()
})

t.test('counts neither injected requests nor the server\'s own', async t => {
  const app = await startOutbound(t)
  await app.inject('/somewhere')
  await expectOutbound(t, app, {})
})
