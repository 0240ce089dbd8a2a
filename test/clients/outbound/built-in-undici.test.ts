import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import t from 'tap'
import { expectOutbound, startOutbound } from './support/books.ts'
import { startTarget } from './support/target.ts'

// No other undici is imported here: it would take the place of Node's own.

interface Dispatcher {
  dispatch (options: object, handler: object): boolean
  destroy (): Promise<void>
}

/** Node's own Agent, which it shows once it has fetched. */
async function ownAgent (url: string): Promise<new (options: object) => Dispatcher> {
  await (await fetch(`${url}/ok`)).text()
  const symbols = Object.getOwnPropertySymbols(globalThis).filter(({ description }) => description?.startsWith('undici.globalDispatcher'))
  return (globalThis as never as Record<symbol, { constructor: never }>)[symbols[0]!]!.constructor
}

/** Takes over a connection, with the handler of old versions and of new ones in one. */
async function takeOver (dispatcher: Dispatcher, options: object): Promise<Duplex> {
  return await new Promise((resolve, reject) => {
    dispatcher.dispatch(options, {
      onConnect () {},
      onHeaders () {},
      onError: reject,
      onUpgrade: (_status: unknown, _headers: unknown, socket: Duplex) => resolve(socket),
      onRequestStart () {},
      onResponseError: (_controller: unknown, error: Error) => reject(error),
      onRequestUpgrade: (_controller: unknown, _status: unknown, _headers: unknown, socket: Duplex) => resolve(socket)
    })
  })
}

t.test('counts an upgrade of Node\'s own undici, which publishes none', async t => {
  const { url, host } = await startTarget(t)
  const dispatcher = new (await ownAgent(url))({})
  t.teardown(() => dispatcher.destroy())
  const app = await startOutbound(t)
  const socket = await takeOver(dispatcher, { origin: url, path: '/upgrade', method: 'GET', upgrade: 'echo' })
  socket.write('hello')
  t.equal(String((await once(socket, 'data'))[0]), 'hello')
  await expectOutbound(t, app, { [`GET ${host} 101`]: 1 })
  socket.destroy()
})

t.test('counts its tunnel over HTTP/2', async t => {
  const { url } = await startTarget(t)
  const secure = await startTarget(t, { kind: 'http2' })
  const dispatcher = new (await ownAgent(url))({ allowH2: true, connect: { rejectUnauthorized: false } })
  t.teardown(() => dispatcher.destroy())
  const app = await startOutbound(t)
  const socket = await takeOver(dispatcher, { origin: secure.url, path: 'elsewhere.example:443', method: 'CONNECT' })
  socket.on('error', () => {}).write('hello')
  t.equal(String((await once(socket, 'data'))[0]), 'hello')
  await expectOutbound(t, app, { [`CONNECT ${secure.host} 200`]: 1 })
  socket.destroy()
})

if (typeof WebSocket === 'function') {
  t.test('counts a WebSocket of Node\'s own', async t => {
    const { url, host } = await startTarget(t)
    const app = await startOutbound(t)
    const socket = new WebSocket(`${url.replace('http', 'ws')}/upgrade`)
    // The target shakes hands in another way.
    await new Promise(resolve => socket.addEventListener('error', resolve))
    await expectOutbound(t, app, { [`GET ${host} 101`]: 1 })
  })
}
