import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Test } from 'tap'

/** How a receiver can fail a push. */
export type Fault =
  | { kind: 'answer', status: number, headers?: string }
  | { kind: 'die' }
  | { kind: 'garbage' }
  | { kind: 'silence' }
  | { kind: 'drip' }

/** A receiver that does wrong, byte by byte as it is told; it counts who came. */
export async function startFaulty (t: Test, fault: Fault, port = 0): Promise<{ url: string, port: number, server: Server, pushes: number }> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
    // A push may come in several pieces; each that is answered has a connection of its own.
    socket.once('data', () => {
      socket.resume()
      if (fault.kind === 'silence') return
      faulty.pushes++
      if (fault.kind === 'die') socket.destroy()
      else if (fault.kind === 'garbage') socket.end('this is no HTTP\r\n\r\n')
      else if (fault.kind === 'drip') socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n.')
      else socket.end(`HTTP/1.1 ${fault.status} Told So\r\n${fault.headers ?? ''}content-length: 0\r\nconnection: close\r\n\r\n`)
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const faulty = { url: '', port: (server.address() as AddressInfo).port, server, pushes: 0 }
  faulty.url = `http://127.0.0.1:${faulty.port}`
  return faulty
}
