import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'

// A receiver of gRPC that has room for large messages, and stops as soon as a call begins. It says its port.
const WINDOW_BYTES = 2 ** 30
const server = createServer({ settings: { initialWindowSize: WINDOW_BYTES } })
server.on('session', session => {
  session.setLocalWindowSize(WINDOW_BYTES)
  session.on('error', () => {})
})
server.on('stream', stream => {
  stream.on('error', () => {})
  process.kill(process.pid, 'SIGSTOP')
})
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port))
process.once('disconnect', () => process.exit())
