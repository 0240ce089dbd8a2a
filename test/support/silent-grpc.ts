import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** A gRPC receiver that takes calls and answers none. */
export async function startSilentGrpc (t: Test): Promise<{ url: string, server: Http2Server }> {
  const server = createServer()
  server.on('session', session => {
    session.on('error', () => {})
    t.teardown(() => session.destroy())
  })
  server.on('stream', stream => stream.on('error', () => {}))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}
