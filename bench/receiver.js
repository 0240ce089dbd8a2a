// A receiver of pushes: `node receiver.js <how>`. It says where it listens.
import { once } from 'node:events'
import { createServer } from 'node:http'

const [how] = process.argv.slice(2)

const server = createServer((request, response) => {
  request.resume()
  if (how === 'silent') return
  request.once('end', () => response.writeHead(how === 'busy' ? 503 : 200, { 'content-type': 'application/x-protobuf' }).end())
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address()
if (how === 'down') {
  server.close()
  await once(server, 'close')
}
process.on('disconnect', () => process.exit())
process.send({ result: `http://127.0.0.1:${port}` })
