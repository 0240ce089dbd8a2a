import basicAuth from '@fastify/basic-auth'
import bearerAuth from '@fastify/bearer-auth'
import Fastify from 'fastify'
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { toAllowList } from '../../lib/endpoint/allow-list.ts'
import { registerEndpoint } from '../../lib/endpoint/endpoint.ts'
import { VitalsError } from '../../lib/errors.ts'
import type { ResolvedAuth } from '../../lib/options.ts'
import { TOKEN, bearer, get, logOf, open, rules, scrapeText, serve, settings, smallSource, statusOf } from './support.ts'

const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` })
const reader = { username: 'prometheus', password: 'pässword: with colon' }
const BEARER = 'Bearer realm="metrics"'
const BASIC = 'Basic realm="metrics", charset="UTF-8"'

t.test('lets in who proves it in one of the ways that were decided', async (t) => {
  const cases: { name: string, auth: ResolvedAuth | false, accepted: Record<string, string>[], refused: Record<string, string>[], challenge?: string }[] = [
    { name: 'nobody asked for proof', auth: false, accepted: [{}, bearer], refused: [] },
    {
      name: 'one bearer token',
      auth: rules({ bearer: [TOKEN] }),
      accepted: [bearer, { authorization: `bearer ${TOKEN}` }, { authorization: `BEARER   ${TOKEN} ` }],
      refused: [
        {}, { authorization: '' }, { authorization: 'Bearer' }, { authorization: 'Bearer ' }, { authorization: TOKEN }, { authorization: `Bearer${TOKEN}` },
        { authorization: `Bearer ${TOKEN}x` }, { authorization: `Bearer ${TOKEN.slice(1)}` }, { authorization: `Bearer x${TOKEN}` },
        { authorization: `Token  ${TOKEN}` }, { authorization: `Bearer ${TOKEN.toUpperCase()}` }, basic(`:${TOKEN}`), basic(TOKEN)
      ],
      challenge: BEARER
    },
    {
      name: 'several bearer tokens while one is rotated',
      auth: rules({ bearer: ['old-token', 'new-token', 'ünïcode'] }),
      accepted: [{ authorization: 'Bearer old-token' }, { authorization: 'Bearer new-token' }, { authorization: `Bearer ${Buffer.from('ünïcode').toString('latin1')}` }],
      refused: [{ authorization: 'Bearer older-token' }, { authorization: 'Bearer old-token,new-token' }],
      challenge: BEARER
    },
    {
      name: 'basic credentials',
      auth: rules({ basic: [reader, { username: 'second', password: 'other' }] }),
      accepted: [basic(`${reader.username}:${reader.password}`), basic('second:other'), { authorization: `bAsIc ${Buffer.from('second:other').toString('base64')}` }],
      refused: [
        {}, basic('second'), basic('second:'), basic(':other'), basic('second:other '), basic('prometheus:other'), basic(''),
        { authorization: 'Basic' }, { authorization: 'Basic %%%' }, { authorization: 'Basic second:other' }, { authorization: 'Bearer second:other' }
      ],
      challenge: BASIC
    },
    {
      name: 'either of bearer, basic and custom',
      auth: rules({ bearer: [TOKEN], basic: [reader], custom: ({ headers }) => headers['x-key'] === 'right' }),
      accepted: [bearer, basic(`${reader.username}:${reader.password}`), { 'x-key': 'right' }, { ...basic('wrong:wrong'), 'x-key': 'right' }],
      refused: [{}, { 'x-key': 'wrong' }],
      challenge: `${BEARER}, ${BASIC}`
    },
    { name: 'a custom function', auth: rules({ custom: ({ headers }) => headers['x-key'] === 'right' }), accepted: [{ 'x-key': 'right' }], refused: [{}], challenge: BEARER },
    { name: 'an asynchronous one', auth: rules({ custom: async ({ headers }) => headers['x-key'] === 'right' }), accepted: [{ 'x-key': 'right' }], refused: [{}], challenge: BEARER },
    { name: 'only true is true', auth: rules({ custom: (() => 'yes') as unknown as () => boolean }), accepted: [], refused: [{}], challenge: BEARER },
    { name: 'a listed address alone', auth: rules({ allow: ['127.0.0.0/8'] }), accepted: [{}, { authorization: 'Bearer nonsense' }], refused: [] },
    { name: 'a listed address and a token', auth: rules({ allow: ['127.0.0.1'], bearer: [TOKEN] }), accepted: [bearer], refused: [{}], challenge: BEARER },
    { name: 'no rule at all', auth: rules({}), accepted: [], refused: [{}, { authorization: 'Bearer ' }, basic(''), basic(':')], challenge: BEARER }
  ]
  for (const { name, auth, accepted, refused, challenge } of cases) {
    await t.test(name, async (t) => {
      const { url } = await serve(t, { auth, rateLimit: false })
      for (const headers of accepted) t.equal(await statusOf(url, headers), 200, JSON.stringify(headers))
      for (const headers of refused) {
        const answer = await get(url, headers)
        t.equal(answer.status, 401, JSON.stringify(headers))
        t.equal(answer.headers['www-authenticate'], challenge)
        t.equal(answer.headers['cache-control'], 'no-store')
        t.equal(String(answer.body), 'Unauthorized\n')
      }
    })
  }
})

t.test('answers 403 to an address that is not listed, whatever it presents', async (t) => {
  const { url } = await serve(t, { auth: rules({ allow: ['10.0.0.0/8', 'fd00::/8'], bearer: [TOKEN] }) })
  const answer = await get(url, bearer)
  t.equal(answer.status, 403)
  t.equal(String(answer.body), 'Forbidden\n')
})

t.test('takes the address that the application trusts its proxies for', async (t) => {
  const auth = rules({ allow: ['10.0.0.0/8', '192.0.2.7', 'fd00::/8', '2001:db8::1', 'fe80::1', '::ffff:198.51.100.0/120'] })
  const { url } = await serve(t, { auth, rateLimit: false }, { trustProxy: true })
  const from = (address: string) => statusOf(url, { 'x-forwarded-for': address })
  for (const address of ['10.1.2.3', '192.0.2.7', 'fd12::1', '2001:db8:0::1', '::ffff:10.1.2.3', '::FFFF:10.1.2.3', '::ffff:a01:203', 'fe80::1%eth0', '198.51.100.9']) {
    t.equal(await from(address), 200, address)
  }
  for (const address of ['11.0.0.1', '192.0.2.8', 'fe00::1', '2001:db8::2', '::ffff:11.0.0.1', 'unknown', '10.1.2.3.4', '10.1.2', '%', 'a'.repeat(8000)]) {
    t.equal(await from(address), 403, address.slice(0, 40))
  }
  const untrusting = await serve(t, { auth, rateLimit: false })
  t.equal(await statusOf(untrusting.url, { 'x-forwarded-for': '10.1.2.3' }), 403, 'a forged header without trustProxy')
})

t.test('an allow list covers what it says and no more', async (t) => {
  const all = toAllowList(['0.0.0.0/0', '::/0'])
  t.ok(all('8.8.8.8') && all('2001:db8::1'))
  t.notOk(all(undefined), 'the peer of a Unix socket has no address')
  const one = toAllowList(['10.0.0.0/32', '2001:db8::/128'])
  t.ok(one('10.0.0.0') && one('2001:db8::'))
  t.notOk(one('10.0.0.1') || one('2001:db8::1'))
})

t.test('an entry that is neither address nor range is an error that shows it', async (t) => {
  for (const entry of ['', 'localhost', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/8.5', '10.0.0/8', '::/129', 'fe80::1%eth0', '300.1.1.1', '/8']) {
    t.throws(() => toAllowList(['10.0.0.1', entry]), { code: 'FSV_ERR_INVALID_OPTION', message: `Option auth.allow must be an IP address or a CIDR range such as 10.0.0.0/8 or fd00::/8, got: ${JSON.stringify(entry)}` })
  }
  await t.rejects(registerEndpoint(Fastify(), settings({ auth: rules({ allow: ['nowhere'] }) })), VitalsError)
})

t.test('a custom function that fails lets nobody in and tells nobody why', async (t) => {
  const failures = [
    (request: FastifyRequest) => { throw Object.assign(new TypeError(`no such key: ${String(request.headers['x-key'])}`), { code: 'E_STORE' }) },
    async (request: FastifyRequest) => { throw new Error(String(request.headers['x-key'])) },
    (request: FastifyRequest) => new Promise<boolean>((_resolve, reject) => reject(request.headers['x-key']))
  ]
  for (const custom of failures) {
    const { lines, logger } = logOf()
    const { url } = await serve(t, { auth: rules({ custom, bearer: [TOKEN] }) }, { logger })
    const answer = await get(url, { 'x-key': 'secret-key' })
    t.equal(answer.status, 500)
    t.equal(String(answer.body), 'Internal Server Error\n')
    t.equal(await statusOf(url, bearer), 200, 'a token still does')
    t.equal(lines.filter((line) => line.includes('auth.custom of the metrics endpoint failed')).length, 1)
    t.notMatch(lines.join(''), 'secret-key')
  }
})

t.test('a custom function that never answers is given up at the deadline', async (t) => {
  const { lines, logger } = logOf('warn')
  const { url } = await serve(t, { auth: rules({ custom: () => new Promise(() => {}) }) }, { logger })
  const answer = await get(url, { 'x-prometheus-scrape-timeout-seconds': '0.02' })
  t.equal(answer.status, 503)
  t.match(lines.join(''), 'metrics scrape cut off: not done within 0.02 s')
})

t.test('a client that leaves while the custom function ponders does not leave anything behind', async (t) => {
  let ponder!: () => void
  const asked = new Promise<void>((resolve) => { ponder = resolve })
  let decide!: (verdict: boolean) => void
  const verdict = new Promise<boolean>((resolve) => { decide = resolve })
  const exposition = smallSource()
  const { url, app } = await serve(t, { exposition, auth: rules({ custom: () => { ponder(); return verdict } }) })
  const closed = new Promise((resolve) => { app.server.once('connection', (connection) => connection.once('close', resolve)) })
  const socket = await open(t, url)
  socket.write(scrapeText())
  await asked
  socket.destroy()
  await closed
  decide(true)
  t.equal(await statusOf(url), 200)
  t.equal(exposition.started, 1)
})

t.test('no credential, right or wrong, comes up in a log or an answer', async (t) => {
  const { lines, logger } = logOf()
  const { url } = await serve(t, { auth: rules({ bearer: [TOKEN], basic: [reader] }), rateLimit: { max: 3, timeWindow: 60_000 } }, { logger })
  const answers = []
  for (const headers of [bearer, basic(`${reader.username}:${reader.password}`), { authorization: 'Bearer wrong-secret' }, basic('wrong:wrong-secret')]) {
    for (let i = 0; i < 4; i++) answers.push(await get(url, headers))
  }
  const told = lines.join('') + JSON.stringify(answers.map(({ headers, body }) => [headers, String(body)]))
  t.match(told, 'request completed')
  const secrets = [TOKEN, reader.password, 'wrong-secret', ...[`${reader.username}:${reader.password}`, 'wrong:wrong-secret'].map((pair) => Buffer.from(pair).toString('base64'))]
  for (const secret of secrets) t.notOk(told.includes(secret), secret)
})

t.test('huge and broken Authorization headers are refused like any other', async (t) => {
  const { app, url } = await serve(t, { rateLimit: false, auth: rules({ bearer: [TOKEN], basic: [reader] }) }, { http: { maxHeaderSize: 4_000_000 } })
  for (const filler of ['a', ' ', '=', 'Bearer ', ',', '\xff']) {
    t.equal(await statusOf(url, { authorization: `Bearer x${filler.repeat(100_000)}x` }), 401)
    t.equal(await statusOf(url, { authorization: `Basic x${filler.repeat(100_000)}x` }), 401)
  }
  const { statusCode } = await app.inject({ url: '/v1/metrics', headers: { authorization: `Bearer ${TOKEN}\0` } })
  t.equal(statusCode, 401)
})

t.test('stands beside the authentication plugins of the application', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(bearerAuth, { keys: ['application'], addHook: false, verifyErrorLogLevel: 'debug' })
  await app.register(basicAuth, { validate: async () => {} })
  await app.register(async (child) => {
    child.addHook('onRequest', child.verifyBearerAuth!)
    child.get('/private', async () => 'private')
  })
  await registerEndpoint(app, settings())
  t.equal((await app.inject({ url: '/v1/metrics', headers: bearer })).statusCode, 200)
  t.equal((await app.inject({ url: '/v1/metrics', headers: { authorization: 'Bearer application' } })).statusCode, 401)
  t.equal((await app.inject({ url: '/private', headers: { authorization: 'Bearer application' } })).statusCode, 200)
})
