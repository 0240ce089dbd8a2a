// A small Fastify service with fastify-vitals more or less on: `node off-server.js <variant>`. Answers each message with its CPU time.
import fastify from '../node_modules/fastify/fastify.js'

const [variant] = process.argv.slice(2)
const options = { disabled: { enabled: false }, neither: { endpoint: false, otlp: false }, vitals: { auth: false } }[variant]

const app = fastify()
if (options !== undefined) await app.register((await import('../dist/index.js')).default, options)
app.get('/users/:id', async (request) => ({ id: request.params.id, name: 'someone' }))
await app.listen({ port: 0, host: '127.0.0.1' })

process.on('disconnect', () => process.exit())
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send({ result: user + system })
})
process.send({ result: app.server.address().port })
