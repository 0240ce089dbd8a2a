import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import t from 'tap'
import { Clone, until } from './example.ts'

// Builds a clone and starts a database: slow on a busy machine.
t.setTimeout(300_000)

const clone = await Clone.make()
t.teardown(() => clone.remove())
const example = clone.start(['--traffic'], { METRICS_AUTH_TOKEN: 'a-token-from-the-environment' })
const origin = await example.origin()

const organization = `${origin}/organizations/umbrella`
const tasks = `${organization}/projects/lab/tasks`

async function send (method: string, url: string, body?: unknown) {
  const response = await fetch(url, {
    method,
    ...body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}

async function scrape (): Promise<string> {
  const [line] = await example.shows(/^curl .*$/m)
  const { stdout } = await promisify(execFile)('sh', ['-c', `${line} --silent --show-error --fail`])
  return stdout
}

async function valueOf (series: string): Promise<number | undefined> {
  const line = (await scrape()).split('\n').find((line) => line.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

const selects = 'db_queries_total{system="postgresql",client="primary",operation="SELECT",table="organizations",status="success"}'

t.test('a fresh clone builds itself and says so', async (t) => {
  t.match(example.output, 'Building the plugin')
  t.match(example.output, 'Building the example')
})

t.test('the printed curl line shows the metrics of the first traffic, and the given token is not printed', async (t) => {
  const text = await scrape()
  for (const name of ['tasks_created_total', 'tasks_completed_total', 'task_completion_seconds_bucket', 'tasks', 'http_requests_total']) {
    t.match(text, new RegExp(`^${name}\\{`, 'm'), name)
  }
  t.match(text, /^http_requests_total\{.*endpoint="\/failing".*status="500".*\} [1-9]/m)
  t.match(text, /^http_requests_total\{.*endpoint="unmatched".*status="404".*\} [1-9]/m)
  t.notMatch(example.output + example.errors, 'a-token-from-the-environment')
})

t.test('the metrics are closed to those without the token', async (t) => {
  t.equal((await fetch(`${origin}/v1/metrics`)).status, 401)
})

t.test('organisations and projects are created once and listed', async (t) => {
  t.match(await send('POST', `${origin}/organizations`, { slug: 'umbrella', name: 'Umbrella' }), { status: 201, body: { slug: 'umbrella', name: 'Umbrella', createdAt: String } })
  t.match(await send('POST', `${origin}/organizations`, { slug: 'umbrella', name: 'Again' }), { status: 409 })
  t.match(await send('GET', organization), { status: 200, body: { name: 'Umbrella' } })
  t.match(await send('POST', `${organization}/projects`, { slug: 'lab', name: 'The lab' }), { status: 201, body: { slug: 'lab' } })
  t.match(await send('GET', `${organization}/projects`), { status: 200, body: [{ slug: 'lab', name: 'The lab' }] })
  t.ok((await send('GET', `${origin}/organizations`)).body.some(({ slug }: { slug: string }) => slug === 'umbrella'))
  t.equal(await valueOf('projects_created_total{organization="umbrella"}'), 1)
})

t.test('a task is created, changed, completed once and deleted, and the business metrics say so', async (t) => {
  const { status, body: task } = await send('POST', tasks, { title: 'Find the cure' })
  t.match({ status, task }, { status: 201, task: { id: Number, project: 'lab', title: 'Find the cure', status: 'todo', completedAt: null } })

  t.match(await send('PATCH', `${tasks}/${task.id}`, { status: 'doing', title: 'Find a cure' }), { status: 200, body: { status: 'doing', title: 'Find a cure', completedAt: null } })
  t.match(await send('PATCH', `${tasks}/${task.id}`, { status: 'done' }), { status: 200, body: { status: 'done', completedAt: String } })
  t.match(await send('PATCH', `${tasks}/${task.id}`, { status: 'done' }), { status: 200, body: { status: 'done' } })
  t.match(await send('GET', `${tasks}/${task.id}`), { status: 200, body: { status: 'done' } })
  t.match(await send('GET', `${tasks}?status=done&limit=1`), { status: 200, body: [{ id: task.id }] })
  t.strictSame(await send('GET', `${tasks}?status=todo`), { status: 200, body: [] })

  t.equal(await valueOf('tasks_created_total{organization="umbrella"}'), 1)
  t.equal(await valueOf('tasks_completed_total{organization="umbrella"}'), 1)
  t.equal(await valueOf('task_completion_seconds_count{organization="umbrella"}'), 1)

  t.equal((await send('DELETE', `${tasks}/${task.id}`)).status, 204)
  t.match(await send('GET', `${tasks}/${task.id}`), { status: 404, body: { message: 'No such task' } })
})

t.test('an organisation is read from the cache the second time, and the metrics tell the database from the cache', async (t) => {
  const before = { hits: await valueOf('cache_hits_total{cache_type="organizations"}'), queries: await valueOf(selects) }
  const [first, second] = [await send('GET', organization), await send('GET', organization)]
  t.strictSame(second, first)
  t.ok((await valueOf('cache_hits_total{cache_type="organizations"}'))! > before.hits!)
  t.ok((await valueOf('cache_size{cache_type="organizations"}'))! > 0)
  t.ok((await valueOf(selects))! >= before.queries!)
  t.equal(await valueOf('db_connection_pool_max{system="postgresql",client="primary"}'), 10)
  t.ok((await valueOf('db_query_errors_total{system="postgresql",client="primary",operation="INSERT",error_type="23505"}'))! > 0, 'the organisation that was there')
})

t.test('what another service knows is asked for, and the requests to it are counted', async (t) => {
  t.match(await send('GET', `${organization}/company`), { status: 200, body: { slug: 'umbrella', employees: 800 } })
  t.match(await send('GET', `${origin}/organizations/nobody/company`), { status: 404, body: { message: 'No such company' } })
  const counted = [...(await scrape()).matchAll(/^http_client_requests_total\{method="GET",host="([^"]+)",status="(200|404)"\} [1-9]/gm)]
  t.strictSame(counted.map(([, , status]) => status).sort(), ['200', '404'])
  t.equal(new Set(counted.map(([, host]) => host)).size, 1, 'the traffic is not the service\'s own')
  // The traffic has the service ask too.
  await until(async () => await valueOf(`http_client_requests_in_progress{host="${counted[0]![1]}"}`) === 0)
})

t.test('another service that breaks off, or answers what it should not, is not taken for a fault of this one', async (t) => {
  const register = createServer((request, response) => {
    if (request.url === '/companies/broken') response.writeHead(200, { 'content-length': 100 }).write('{', () => response.destroy())
    else response.writeHead(request.url === '/companies/ill' ? 500 : 200).end('no JSON')
  }).listen(0, '127.0.0.1')
  t.teardown(() => register.close())
  await once(register, 'listening')
  const asking = clone.start([], { COMPANY_REGISTER_URL: `http://127.0.0.1:${(register.address() as AddressInfo).port}` })
  const companies = `${await asking.origin()}/organizations`
  for (const slug of ['broken', 'garbled']) t.match(await send('GET', `${companies}/${slug}/company`), { status: 502, body: { message: 'The company register does not answer' } })
  t.match(await send('GET', `${companies}/ill/company`), { status: 502, body: { message: 'The company register has a problem' } })
  register.close()
  register.closeAllConnections()
  t.match(await send('GET', `${companies}/gone/company`), { status: 502, body: { message: 'The company register does not answer' } })
  asking.press()
  t.equal(await asking.ended, 0)
})

t.test('mistakes get a clear answer', async (t) => {
  t.match(await send('POST', tasks, { title: '' }), { status: 400, body: { message: /title/ } })
  t.match(await send('PATCH', `${tasks}/1`, { status: 'lost' }), { status: 400, body: { message: /status/ } })
  t.match(await send('GET', `${tasks}/99999999999`), { status: 400 })
  t.match(await send('POST', `${organization}/projects/nowhere/tasks`, { title: 'x' }), { status: 404, body: { message: 'No such organisation or project' } })
  t.match(await send('DELETE', `${organization}/projects/nowhere`), { status: 404 })
  t.match(await send('GET', `${origin}/organizations/nobody`), { status: 404, body: { message: 'No such organisation' } })
})

t.test('the export streams every task, however many there are', async (t) => {
  const titles = Array.from({ length: 1_201 }, (_, index) => `task ${index}`)
  for (let start = 0; start < titles.length; start += 50) {
    await Promise.all(titles.slice(start, start + 50).map((title) => send('POST', tasks, { title })))
  }
  const response = await fetch(`${organization}/export`)
  t.equal(response.headers.get('content-type'), 'application/x-ndjson')
  t.equal(response.headers.get('content-length'), null)
  const exported = (await response.text()).trimEnd().split('\n').map((line) => JSON.parse(line).title)
  t.strictSame(exported.sort(), titles.sort())
  t.equal(await valueOf('tasks_exported_total{organization="umbrella"}'), 1_201)
})

t.test('exports that their clients leave give back their database connections', async (t) => {
  // More of them than there are connections.
  for (let left = 0; left < 25; left++) {
    const response = await fetch(`${organization}/export`)
    await response.body?.cancel()
  }
  t.equal((await send('GET', `${origin}/health`)).status, 200)
})

t.test('live updates tell what happens to the tasks of one organisation', async (t) => {
  const stop = new AbortController()
  const response = await fetch(`${organization}/updates`, { signal: stop.signal })
  t.equal(response.headers.get('content-type'), 'text/event-stream')
  const { body: task } = await send('POST', tasks, { title: 'Watched' })
  await send('DELETE', `${tasks}/${task.id}`)

  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk, { stream: true })
    if (text.includes('event: deleted') && text.endsWith('\n\n')) break
  }
  stop.abort()
  const events = [...text.matchAll(/event: (\w+)\nid: (\d+)\ndata: (.*)\n\n/g)]
  t.strictSame(events.map(([, type, id]) => [type, Number(id)]), [['created', task.id], ['deleted', task.id]])
  t.match(JSON.parse(events[0]![3]!), { title: 'Watched', organization: 'umbrella' })
})

t.test('the service has a slow route, a failing one and a health check', async (t) => {
  t.strictSame(await send('GET', `${origin}/slow?seconds=0.01`), { status: 200, body: { seconds: 0.01 } })
  t.strictSame(await send('GET', `${origin}/failing`), { status: 500, body: { statusCode: 500, message: 'Something went wrong in the service' } })
  t.strictSame(await send('GET', `${origin}/health`), { status: 200, body: { status: 'healthy', database: 'up' } })
})

t.test('an organisation goes with all it has', async (t) => {
  t.equal((await send('DELETE', organization)).status, 204)
  t.match(await send('GET', organization), { status: 404 })
  t.strictSame(await send('GET', tasks), { status: 200, body: [] })
})

t.test('Ctrl-C stops it with live updates and traffic running, and nothing is left', async (t) => {
  const updates = await fetch(`${origin}/organizations/acme/updates`)
  const watched = updates.text()
  example.press()
  t.equal(await example.ended, 0)
  t.match(await watched, /^retry: 1000/, 'the live updates end properly')
  t.strictSame(await clone.leftovers(), [])
})
