import fastify from 'fastify'
import t from 'tap'
import { addLifecycleHooks, symbolOf } from '../../lib/record/lifecycle.ts'
import { start } from '../support/start.ts'
import { send } from '../support/send.ts'
import { expectOnly } from '../support/expect-only.ts'

t.test('finds a property by its description, on the instance or what it inherits from', async t => {
  const symbol = Symbol('found')
  t.equal(symbolOf(Object.create({ [symbol]: 1 }) as object, 'found'), symbol)
  t.equal(symbolOf({}, 'found'), undefined)
})

t.test('makes do with the public hooks where the lists of Fastify are not found', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  const seen: string[] = []
  app.addHook('onRequest', async (_request, reply) => reply.code(401).send('earlier'))
  // An application whose own lists are out of sight: only what is public gets through.
  const bare = { addHook: app.addHook.bind(app) } as unknown as typeof app
  addLifecycleHooks(bare, {
    onRequest: (_request, _reply, done) => { seen.push('onRequest'); done() },
    onError: (_request, _reply, _error, done) => { seen.push('onError'); done() },
    onResponse: (_request, _reply, done) => { seen.push('onResponse'); done() }
  })
  app.get('/', () => 'never')
  t.equal((await app.inject('/')).statusCode, 401)
  t.strictSame(seen, ['onResponse'])
})

t.test('a mistake in the configuration of a route that was declared before is a warning, and the route is counted', async t => {
  const lines: string[] = []
  const { app, port } = await start(t, () => {}, {
    fastify: { logger: { level: 'warn', stream: { write: (line: string) => { lines.push(line) } } } },
    before: app => { app.get('/early', { config: { vitals: { endpoint: 5 } as never } }, () => 'early') }
  })
  await send({ port, path: '/early' })
  await expectOnly(t, app, [{ endpoint: '/early', status: 200, responseBytes: 5 }])
  t.match(lines.join('\n'), /endpoint of route|route \/early/)
})

t.test('a handlerTimeout after the head is a timeout under the status that was sent', async t => {
  const { app, port } = await start(t, app => {
    app.get('/slow', { handlerTimeout: 20 }, (_request, reply) => { reply.raw.write('begun'); return new Promise(() => {}) })
  })
  await t.rejects(send({ port, path: '/slow' }))
  await expectOnly(t, app, [{ endpoint: '/slow', status: 200, responseBytes: 5, failure: 'timeout' }])
})
