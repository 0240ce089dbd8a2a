import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Test } from 'tap'

/** A proxy for connections (RFC 9110, section 9.3.6), or one that takes what it is asked and never answers. */
export async function startConnectProxy (t: Test, { isSilent = false } = {}): Promise<{ server: Server, url: string, asked: string[] }> {
  const asked: string[] = []
  const sockets = new Set<Duplex>()
  const keep = (socket: Duplex): void => {
    sockets.add(socket)
    socket.on('error', () => {})
  }
  const server = createServer()
  server.on('connect', (request, socket) => {
    asked.push(request.url!)
    keep(socket)
    if (isSilent) return
    const { hostname, port } = new URL(`http://${request.url}`)
    const target = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      target.pipe(socket).pipe(target)
    })
    keep(target)
  })
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}
