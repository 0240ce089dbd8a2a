// Fastify services with a rate-limited route in one process: `node limiter-server.js <variant …>`. Answers each message with its CPU time.
import { createRequire } from 'node:module'

const variants = process.argv.slice(2)

// The product's own Fastify and limiter: a second copy would be another application's.
const require = createRequire(new URL('../package.json', import.meta.url))
const fastify = require('fastify')
const rateLimit = require('@fastify/rate-limit')
const { default: vitals } = await import('../dist/index.js')

const ports = {}
for (const variant of variants) ports[variant] = await serve(variant)

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send({ result: user + system })
})
process.on('disconnect', () => process.exit())
process.send({ result: ports })

async function serve (variant) {
  const app = fastify()
  if (!variant.startsWith('bare')) await app.register(vitals, { auth: false, ...variant.startsWith('without-limiter') && { limiter: false } })
  // So much for so long that the headers which count down keep their length: the load tells answers by that.
  await app.register(rateLimit, { max: 1_000_000_000, timeWindow: 3_600_000 })
  app.get('/users/:id', async (request) => ({ id: request.params.id, name: 'someone' }))
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server.address().port
}
