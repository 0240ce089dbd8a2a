import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

// Stands before the receivers whose ports it is given, and says its own. While it is stopped, each takes two connections, and no more is even established.
const ports = await Promise.all(process.argv.slice(2).map(async port => {
  const server = createServer(socket => {
    const receiver = connect(Number(port), '127.0.0.1')
    for (const end of [socket, receiver]) end.on('error', () => {})
    socket.pipe(receiver).pipe(socket)
  })
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}))
process.send!(ports)
process.once('disconnect', () => process.exit())
