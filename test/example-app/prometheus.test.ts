import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { Clone, until } from './example.ts'

// Builds a clone and starts a database: slow on a busy machine.
t.setTimeout(300_000)

const clone = await Clone.make()
t.teardown(() => clone.remove())
const folder = await mkdtemp(join(tmpdir(), 'prometheus-'))
t.teardown(() => rm(folder, { recursive: true }))

const example = clone.start()
const origin = await example.origin()

/** Starts the real Prometheus with the configuration that the example shows; resolves with its address. */
async function startPrometheus (): Promise<string> {
  const [configuration] = await example.shows(/^scrape_configs:\n(?:[ ].*\n)+/m)
  await writeFile(join(folder, 'prometheus.yml'), configuration)
  const address = `127.0.0.1:${await freePort()}`
  const prometheus = spawn('prometheus', [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${address}`,
  ], { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  prometheus.stderr.setEncoding('utf8').on('data', (text: string) => { log += text })
  const ended = once(prometheus, 'exit')
  t.teardown(async () => {
    prometheus.kill()
    await ended
  })
  await until(() => {
    if (prometheus.exitCode !== null) throw new Error(`prometheus ended:\n${log}`)
    return log.includes('Server is ready to receive web requests')
  })
  return `http://${address}`
}

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

interface Sample { metric: Record<string, string>, value: [time: number, value: string] }

async function query (prometheus: string, expression: string): Promise<Sample[]> {
  const response = await fetch(`${prometheus}/api/v1/query?query=${encodeURIComponent(expression)}`)
  const { data, error } = await response.json() as { data?: { result: Sample[] }, error?: string }
  if (data === undefined) throw new Error(`${expression}: ${error}`)
  return data.result
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
  const prometheus = await startPrometheus()
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
