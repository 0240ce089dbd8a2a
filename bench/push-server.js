// A Fastify service that pushes a thousand series when it is told to: `node push-server.js <ms that a push may take> [<url of a receiver>]`.
import { createRequire } from 'node:module'
import { setTimeout } from 'node:timers/promises'

const [timeoutMs, url] = process.argv.slice(2)

const fastify = createRequire(new URL('../package.json', import.meta.url))('fastify')
const { default: vitals } = await import('../dist/index.js')

const app = fastify()
await app.register(vitals, { auth: false, otlp: url === undefined ? false : { endpoint: url, intervalMs: 3_600_000, timeoutMs: Number(timeoutMs) } })
const many = app.vitals.histogram({ name: 'many_seconds', help: 'Many.', labels: ['i'], unit: 'seconds' })
for (let i = 0; i < 1_000; i++) many.observe({ i }, 0.01)
app.get('/users/:id', async (request) => ({ id: request.params.id, name: 'someone' }))
await app.listen({ port: 0, host: '127.0.0.1' })

let pushed
process.on('message', async ({ warmUpPushes = 0, pushAfterMs }) => {
  if (pushAfterMs !== undefined) {
    pushed = setTimeout(pushAfterMs).then(() => app.vitals.push())
  } else {
    for (let i = 0; i < warmUpPushes; i++) await app.vitals.push()
    await pushed
  }
  process.send({ result: 'done' })
})
process.on('disconnect', () => process.exit())
process.send({ result: app.server.address().port })
