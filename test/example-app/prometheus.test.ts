import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { askPrometheus, startPrometheus } from '../support/prometheus.ts'
import { Clone, until } from './example.ts'

// Builds a clone and starts a database: slow on a busy machine.
t.setTimeout(300_000)

const clone = await Clone.make()
t.teardown(() => clone.remove())

const example = clone.start()
const origin = await example.origin()

interface Sample { metric: Record<string, string>, value: [time: number, value: string] }

async function query (prometheus: string, expression: string): Promise<Sample[]> {
  return (await askPrometheus(prometheus, 'query', { query: expression }) as { result: Sample[] }).result
}

/** What this client has sent, by method, endpoint and status. */
const ledger = new Map<string, number>()

async function send (method: string, path: string, endpoint: string, body?: unknown): Promise<number> {
  const response = await fetch(`${origin}${path}`, {
    method,
    ...body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
  })
  const text = await response.text()
  const key = `${method} ${endpoint} ${response.status}`
  ledger.set(key, (ledger.get(key) ?? 0) + 1)
  return response.status === 201 ? JSON.parse(text).id : NaN
}

t.test('Prometheus scrapes the example and counts what its client counted', async (t) => {
  const [configuration] = await example.shows(/^scrape_configs:\n(?:[ ].*\n)+/m)
  const prometheus = await startPrometheus(t, configuration)
  const tasks = '/organizations/:organization/projects/:project/tasks'

  await send('POST', '/organizations', '/organizations', { slug: 'acme', name: 'Acme' })
  await send('POST', '/organizations/acme/projects', '/organizations/:organization/projects', { slug: 'web', name: 'Web' })
  await Promise.all(Array.from({ length: 200 }, async (_, index) => {
    const id = await send('POST', '/organizations/acme/projects/web/tasks', tasks, { title: `task ${index}` })
    await send('PATCH', `/organizations/acme/projects/web/tasks/${id}`, `${tasks}/:task`, { status: index % 2 === 0 ? 'done' : 'doing' })
    await send('GET', `/nobody/knows/${index}`, 'unmatched')
  }))
  await send('GET', '/organizations/acme/export', '/organizations/:organization/export')
  await send('GET', '/failing', '/failing')
  await send('GET', '/slow?seconds=0.2', '/slow')
  await send('HEAD', '/health', '/health')
  await send('POST', '/organizations', '/organizations', { slug: 'UPPER', name: '' })

  await until(async () => (await query(prometheus, 'up{job="fastify-vitals-example"}'))[0]?.value[1] === '1')
  // The first scrape that began after the last answer has it all.
  const sentAt = Date.now() / 1_000
  await until(async () => Number((await query(prometheus, 'max(timestamp(http_requests_total))'))[0]?.value[1]) > sentAt)

  const samples = await query(prometheus, 'http_requests_total{endpoint!="/v1/metrics"}')
  const counted = samples.map(({ metric: { method, endpoint, status }, value }) => [`${method} ${endpoint} ${status}`, Number(value[1])])
  t.strictSame(Object.fromEntries(counted), Object.fromEntries(ledger))

  const [created] = await query(prometheus, 'tasks_created_total{organization="acme"}')
  t.equal(created?.value[1], '200')
  const [completed] = await query(prometheus, 'task_completion_seconds_count{organization="acme"}')
  t.equal(completed?.value[1], '100')
})

t.test('promtool has no complaint', async (t) => {
  const [line] = await example.shows(/^curl .*$/m)
  const { stdout: text } = await promisify(execFile)('sh', ['-c', `${line} --silent --fail`], { maxBuffer: 2 ** 26 })
  const check = promisify(execFile)('promtool', ['check', 'metrics'])
  check.child.stdin?.end(text)
  t.strictSame(await check, { stdout: '', stderr: '' })
})
