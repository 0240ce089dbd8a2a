import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { Clone, until } from './example.ts'
import type { Example } from './example.ts'

// A dozen starts, each with a database of its own.
t.setTimeout(300_000)

const clone = await Clone.make()
t.teardown(() => clone.remove())

/** The example must end with code 1 and say why in one line. */
async function refuses (t: Tap, example: Example, why: string): Promise<void> {
  t.equal(await example.ended, 1)
  t.equal(example.errors, `${why}\n`)
  t.strictSame(await clone.leftovers(), [])
}
type Tap = Pick<typeof t, 'equal' | 'strictSame'>

/** Resolves when the service has taken the request to /slow. */
async function underWay (origin: string): Promise<void> {
  await until(async () => {
    const response = await fetch(`${origin}/v1/metrics`, { headers: { authorization: 'Bearer token' } })
    return /^http_requests_in_progress\{.*endpoint="\/slow".*\} 1$/m.test(await response.text())
  })
}

t.test('Ctrl-C stops the build of a fresh clone', async (t) => {
  const example = clone.start()
  await example.shows(/Building the plugin/)
  example.press()
  t.equal(await example.ended, 0)
  t.strictSame(await clone.leftovers(), [])
})

t.test('Ctrl-C stops it while its database is being made', async (t) => {
  const example = clone.start()
  await until(async () => (await clone.processes()).some((process) => process.includes('bin/initdb')))
  example.press()
  t.equal(await example.ended, 0)
  t.equal(example.errors, '')
  t.strictSame(await clone.leftovers(), [])
})

t.test('a second start builds nothing, and SIGTERM to npm alone lets a request under way finish', async (t) => {
  const example = clone.start([], { METRICS_AUTH_TOKEN: 'token' })
  const origin = await example.origin()
  t.notMatch(example.output, 'Building')
  const answer = fetch(`${origin}/slow?seconds=2`)
  await underWay(origin)
  example.end('SIGTERM')
  t.equal((await answer).status, 200)
  t.equal(await example.ended, 0)
  t.strictSame(await clone.leftovers(), [])
})

t.test('Ctrl-C again does not wait for requests under way', async (t) => {
  const example = clone.start([], { METRICS_AUTH_TOKEN: 'token' })
  const origin = await example.origin()
  const answer = t.rejects(fetch(`${origin}/slow?seconds=30`))
  await underWay(origin)
  example.press()
  await until(() => {
    // The first of these are too close to count as a second one.
    if (!example.output.includes('at once')) example.press()
    return example.output.includes('at once')
  })
  await answer
  t.equal(await example.ended, 0)
  t.strictSame(await clone.leftovers(), [])
})

t.test('its database ends even if the service is killed', async (t) => {
  const example = clone.start()
  await example.origin()
  example.press('SIGKILL')
  await example.ended
  await until(async () => (await clone.processes()).length === 0)
  t.notOk((await clone.leftovers()).some((name) => name.includes('postgres')))
  await clone.tidy()
})

t.test('a port in use is said in one line', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await refuses(t, clone.start([], { PORT: `${port}` }), `Cannot listen on port ${port} of 127.0.0.1: it is in use. Choose another with PORT.`)
})

t.test('wrong settings are said in one line', async (t) => {
  await refuses(t, clone.start([], { PORT: 'http' }), 'PORT must be a number from 0 to 65535, got: http')
  await refuses(t, clone.start(['--trafic']), 'The only argument is --traffic (npm start -- --traffic), got: --trafic')
  await refuses(t, clone.start([], { COMPANY_REGISTER_URL: 'nowhere' }), 'COMPANY_REGISTER_URL must look like http://host:8080')
  await refuses(t, clone.start([], { COMPANY_REGISTER_URL: 'http://user:secret@host:8080' }), 'COMPANY_REGISTER_URL must look like http://host:8080')
  await refuses(t, clone.start([], { DATABASE_URL: 'postgresql://nowhere:port' }), 'DATABASE_URL must look like postgresql://user:password@host:5432/database')
})

t.test('a database that does not answer is said in one line, without its password', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  await refuses(t, clone.start([], { DATABASE_URL: `postgresql://me:secret@127.0.0.1:${port}/tasks` }),
    `Cannot use the database tasks at 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`)
})

t.test('DATABASE_URL uses another server, and nothing embedded is started', async (t) => {
  const { EmbeddedPostgres } = await import(join(clone.folder, 'example-app/dist/embedded-postgres.js'))
  const postgres = new EmbeddedPostgres()
  t.teardown(() => postgres.stop())
  const url: string = await postgres.start(new AbortController().signal)
  // By what they are: PostgreSQL's own children are called like it until they have said who they are.
  const kinds = async () => new Set((await clone.processes()).map((process) => process.trimStart().replace(/^\d+ /, '')))
  const others = await kinds()

  const example = clone.start([], { DATABASE_URL: url })
  const origin = await example.origin()
  t.equal((await fetch(`${origin}/health`)).status, 200)
  t.equal((await clone.processes()).filter((process) => process.includes('postgres-process.js')).length, 1)
  example.press()
  t.equal(await example.ended, 0)
  t.strictSame(await kinds(), others, 'the other server goes on')

  const missing = clone.start([], { DATABASE_URL: url.replace('/postgres?', '/nowhere?') })
  t.equal(await missing.ended, 1)
  t.equal(missing.errors, 'Cannot use the database nowhere at localhost:5432: database "nowhere" does not exist\n')
})
