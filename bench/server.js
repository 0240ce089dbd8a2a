// A small Fastify service with one peer in it: `node server.js <peer> <scenario>`. Answers each message with its CPU time.
// The product's own: an application and its plugins share one Fastify, and a second in the process would slow them down.
import fastify from '../node_modules/fastify/fastify.js'
import { peers } from './peers/index.js'

const [peer, scenario] = process.argv.slice(2)
const nowhere = { write () {} }

const app = fastify(scenario === 'logger' ? { logger: { stream: nowhere } } : {})
if (scenario === 'hooks') addOthers(app)
await peers[peer].addTo(app)
if (scenario === 'hooks') addOthers(app)
app.get('/users/:id', async (request) => ({ id: request.params.id, name: 'someone' }))
app.post('/users', {
  schema: { body: { type: 'object', required: ['name'], properties: { name: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } } } }
}, async (request) => ({ id: 42, name: request.body.name }))
await app.listen({ port: 0, host: '127.0.0.1' })

/** What other plugins do: a hook before and after ours at each of the usual places. */
function addOthers (instance) {
  instance.addHook('onRequest', (request, reply, done) => done())
  instance.addHook('preHandler', async () => {})
  instance.addHook('onSend', (request, reply, payload, done) => done(null, payload))
  instance.addHook('onResponse', (request, reply, done) => done())
}

process.on('disconnect', () => process.exit())
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send({ result: user + system })
})
process.send({ result: app.server.address().port })
