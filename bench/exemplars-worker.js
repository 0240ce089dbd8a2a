// Records with and without exemplars: `node exemplars-worker.js <off|on> <untraced|unsampled>`. Answers each message with the CPU
// microseconds of one of so many operations.
import { createRequire } from 'node:module'
import fastify from '../node_modules/fastify/fastify.js'
import vitals from '../dist/index.js'

// The API that the product uses, and a context manager for it.
const require = createRequire(new URL('../package.json', import.meta.url))
const { context, trace } = require('@opentelemetry/api')
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks')

const [option, tracing] = process.argv.slice(2)
if (tracing === 'unsampled') context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
const span = trace.wrapSpanContext({ traceId: '0123456789abcdef0123456789abcdef', spanId: '0123456789abcdef', traceFlags: 0 })

const app = fastify()
await app.register(vitals, { auth: false, exemplars: option === 'on' })
app.get('/users/:id', async (request) => ({ id: request.params.id, name: 'someone' }))
await app.ready()
const counter = app.vitals.counter({ name: 'tasks_total', help: 'Tasks.', labels: ['kind'] }).with({ kind: 'a' })
const histogram = app.vitals.histogram({ name: 'wait_seconds', help: 'Wait.', labels: ['kind'] }).with({ kind: 'a' })

const operations = {
  counter (count) {
    for (let i = 0; i < count; i++) counter.inc()
  },
  histogram (count) {
    for (let i = 0; i < count; i++) histogram.observe((i & 63) / 16)
  },
  async request (count) {
    for (let i = 0; i < count; i++) await app.inject('/users/42')
  }
}

process.on('disconnect', () => process.exit())
process.on('message', async ({ operation, count }) => {
  const before = process.cpuUsage()
  await context.with(trace.setSpan(context.active(), span), () => operations[operation](count))
  const { user, system } = process.cpuUsage(before)
  process.send({ result: (user + system) / count })
})
process.send({ result: 'ready' })
