/** The server of requests.test.ts, in a process of its own so that its heap is its own. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fastify from 'fastify'
import vitals from '../../lib/index.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const app = fastify({ routerOptions: { maxParamLength: 50 }, bodyLimit: 1_000 })
await app.register(vitals, { auth: { bearer: 'token' }, rateLimit: false })
app.get('/', async () => 'hello')
app.get('/users/:id', async () => 'user')
app.post('/users', async request => ({ got: typeof request.body }))
app.all('/any/*', async () => 'any')
app.get('/fails', async () => { throw new Error('as asked') })
await app.listen({ port: 0, host: '127.0.0.1' })

process.on('message', (message: 'report' | 'close') => {
  if (message === 'close') {
    app.close().then(() => process.disconnect())
    return
  }
  Promise.all([app.vitals.render(), app.vitals.render({ format: 'openmetrics' })]).then(([prometheus, openmetrics]) => {
    collectGarbage()
    collectGarbage()
    process.send!({ heapBytes: process.memoryUsage().heapUsed, prometheus, openmetrics })
  })
})
process.send!({ port: (app.server.address() as { port: number }).port })
