import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

// Stands before the receivers whose ports it is given, and says its own. While it is stopped, as many connections are established as its backlog holds, and
// one more; nobody reads what comes by them.
const { receivers, backlog } = JSON.parse(process.argv[2]!) as { readonly receivers: readonly number[], readonly backlog: number }
const ports = await Promise.all(receivers.map(async port => {
  const server = createServer(socket => {
    const receiver = connect(port, '127.0.0.1')
    for (const end of [socket, receiver]) end.on('error', () => {})
    socket.pipe(receiver).pipe(socket)
  })
  server.listen({ port: 0, host: '127.0.0.1', backlog })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}))
process.send!(ports)
process.once('disconnect', () => process.exit())
