import fastify from 'fastify'
import vitals from '../../lib/index.ts'

// A service as a user runs it: configured by the environment, ended by a signal. It says where it listens.
const app = fastify()
await app.register(vitals)
app.get('/', () => 'hello')
const url = await app.listen({ port: 0, host: '127.0.0.1' })
process.once('SIGTERM', () => { app.close().then(() => { process.exitCode = 0 }, () => { process.exitCode = 1 }) })
process.stdout.write(`${JSON.stringify({ url })}\n`)
