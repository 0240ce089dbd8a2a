// A Fastify service that pushes a thousand series while it is told to: `node push-server.js <ms between pushes> [<url of a receiver>]`.
import { createRequire } from 'node:module'

const [interval, url] = process.argv.slice(2)
const intervalMs = Number(interval)

const fastify = createRequire(new URL('../package.json', import.meta.url))('fastify')
const { default: vitals } = await import('../dist/index.js')

const app = fastify()
await app.register(vitals, { auth: false, otlp: url === undefined ? false : { endpoint: url, intervalMs: 3_600_000, timeoutMs: intervalMs } })
const many = app.vitals.histogram({ name: 'many_seconds', help: 'Many.', labels: ['i'], unit: 'seconds' })
for (let i = 0; i < 1_000; i++) many.observe({ i }, 0.01)
app.get('/users/:id', async (request) => ({ id: request.params.id, name: 'someone' }))
await app.listen({ port: 0, host: '127.0.0.1' })

let timer
let pushed = []
const push = () => {
  pushed.push(app.vitals.push())
  timer = setTimeout(push, intervalMs)
}
process.on('message', async ({ isPushing }) => {
  clearTimeout(timer)
  // The first comes soon, so that an attempt which fails does so before the others' turn.
  if (isPushing) timer = setTimeout(push, intervalMs / 20)
  else await Promise.allSettled(pushed)
  pushed = []
  process.send({ result: 'done' })
})
process.on('disconnect', () => process.exit())
process.send({ result: app.server.address().port })
