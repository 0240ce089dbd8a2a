// What the outbound section asks: answers everything with a few bytes.
import http from 'node:http'

const server = http.createServer((_, response) => { response.end('hello') })
server.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1', () => process.send({ result: server.address().port }))
