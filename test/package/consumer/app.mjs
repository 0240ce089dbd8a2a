import Fastify from 'fastify'
import vitals, { VitalsError, createRegistry } from 'fastify-vitals'

const app = Fastify()
await app.register(vitals, { auth: { bearer: 'secret' } })
app.get('/users/:id', async () => 'one')
app.vitals.counter({ name: 'tasks_created_total', help: 'Tasks created.' }).inc(3)

await app.inject('/users/7')
const refused = await app.inject('/v1/metrics')
const scrape = await app.inject({ url: '/v1/metrics', headers: { authorization: 'Bearer secret' } })
await app.close()

console.log(JSON.stringify({
  names: [typeof vitals, typeof VitalsError, typeof createRegistry],
  statuses: [refused.statusCode, scrape.statusCode],
  lines: scrape.body.split('\n').filter(line => /^tasks_created_total|^http_requests_total.*users/.test(line)),
}))
