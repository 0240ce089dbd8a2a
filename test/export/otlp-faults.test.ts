import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import { OtlpProducer } from '../../lib/export/otlp-producer.ts'
import { WatchedExporter } from '../../lib/export/push-exporter.ts'
import vitals, { createRegistry } from '../../lib/index.ts'
import type { OtlpOptions } from '../../lib/index.ts'
import type { Fault } from '../support/faulty-receiver.ts'
import { startFaulty } from '../support/faulty-receiver.ts'
import { startReceiver } from '../support/otlp-receiver.ts'

const HOUR_MS = 3_600_000
/** The exporters wait 0.8 s at the least before they try again, and do not where no time is left for it. */
const LESS_THAN_A_RETRY_MS = 750

/** An application that pushes when told to, and what it logs. */
async function open (t: Test, otlp: OtlpOptions): Promise<{ app: FastifyInstance, log: string[] }> {
  const log: string[] = []
  const write = (line: string): void => { log.push((JSON.parse(line) as { msg: string }).msg) }
  const app = fastify({ disableRequestLogging: true, logger: { level: 'info', stream: { write } } })
  t.teardown(() => app.close())
  await app.register(vitals, { endpoint: false, otlp: { intervalMs: HOUR_MS, timeoutMs: 500, closeTimeoutMs: 300, ...otlp } })
  app.get('/', () => 'hello')
  await app.ready()
  log.length = 0
  return { app, log }
}

const FAULTS: [string, Fault, string][] = [
  ['a receiver that dies in the middle', { kind: 'die' }, 'connection'],
  ['an answer that is no HTTP', { kind: 'garbage' }, 'invalid_answer'],
  ['a receiver that never answers', { kind: 'silence' }, 'timeout'],
  ['an answer that never ends', { kind: 'drip' }, 'timeout'],
  ['429 with a Retry-After beyond patience', { kind: 'answer', status: 429, headers: 'retry-after: 3600\r\n' }, 'unavailable'],
  ['503', { kind: 'answer', status: 503 }, 'unavailable'],
  ['400', { kind: 'answer', status: 400 }, 'rejected'],
  ['401', { kind: 'answer', status: 401 }, 'rejected']
]

for (const [what, fault, reason] of FAULTS) {
  t.test(`counts and logs once: ${what}`, async t => {
    const faulty = await startFaulty(t, fault)
    const { app, log } = await open(t, { endpoint: faulty.url, timeoutMs: reason === 'timeout' ? 500 : LESS_THAN_A_RETRY_MS, headers: { authorization: 'Bearer of-secrets' } })
    await app.vitals.push()
    await app.vitals.push()
    t.equal(app.vitals.read('vitals_export_failures_total', { reason }), 2)
    t.equal(log.length, 1)
    t.match(log[0], new RegExp(`^fastify-vitals: Metrics cannot be pushed to ${faulty.url}/v1/metrics \\(${reason}: `))
    t.notMatch(log[0], /secrets/)
    t.equal(app.vitals.read('vitals_last_export_timestamp_seconds'), 0, 'none arrived')
    t.equal((await app.inject('/')).body, 'hello')
  })
}

t.test('counts a host that has no address', async t => {
  const { app } = await open(t, { endpoint: 'http://receiver.invalid:4318' })
  await app.vitals.push()
  t.equal(app.vitals.read('vitals_export_failures_total', { reason: 'dns' }), 1)
})

t.test('counts an unreachable gRPC receiver', async t => {
  const { app } = await open(t, { endpoint: 'http://127.0.0.1:1', protocol: 'grpc', timeoutMs: 500 })
  await app.vitals.push()
  const failures = (app: FastifyInstance) => ['unreachable', 'timeout', 'rejected', 'connection', 'error'].map(reason => Number(app.vitals.read('vitals_export_failures_total', { reason }) ?? 0))
  t.equal(failures(app).reduce((sum, count) => sum + count), 1)
})

t.test('the first push that arrives carries everything, and says so once', async t => {
  const receiver = await startReceiver(t)
  const port = Number(new URL(receiver.httpUrl).port)
  const gone = await startFaulty(t, { kind: 'answer', status: 503 })
  let target = gone.port
  // One address throughout: what stands behind it changes.
  const proxy = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', async () => {
      const answer = await fetch(`http://127.0.0.1:${target}${request.url}`, { method: 'POST', body: Buffer.concat(chunks), headers: { 'content-type': request.headers['content-type']! } })
      response.writeHead(answer.status).end()
    })
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => proxy.close())
  const { app, log } = await open(t, { endpoint: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` })
  for (let i = 0; i < 3; i++) {
    await app.inject('/')
    await app.vitals.push()
  }
  target = port
  receiver.take()
  await app.vitals.push()
  await app.vitals.push()
  const [first] = receiver.messages
  const duration = first!.metrics.find(metric => metric.name === 'http.server.request.duration')!
  t.equal(duration.points.find(point => point.attributes['http.route'] === '/')!.count, 3)
  const failures = first!.metrics.find(metric => metric.name === 'vitals.export.failures.total')!
  t.same(failures.points.map(({ attributes, value }) => [attributes['reason'], value]), [['unavailable', 3]])
  t.equal(log.length, 2, 'a line for each change')
  t.match(log[1], /pushed to .* again/)
  t.ok(Number(app.vitals.read('vitals_last_export_timestamp_seconds')) > 1e9)
})

t.test('deltas that did not arrive are part of the next one', async t => {
  const receiver = await startReceiver(t)
  const { app } = await open(t, { endpoint: receiver.httpUrl, temporality: 'delta' })
  const tasks = app.vitals.counter({ name: 'tasks_total', help: 'Tasks.' })
  const of = () => receiver.take().metrics.get('fastify-vitals tasks_total')!
  tasks.inc(2)
  await app.vitals.push()
  const first = of()
  t.match([first.temporality, first.points[0]!.value], ['delta', 2])
  tasks.inc(3)
  await app.vitals.push()
  const second = of()
  t.equal(second.points[0]!.value, 3)
  t.equal(second.points[0]!.startMs, first.points[0]!.timeMs, 'the intervals join')
})

t.test('a delta goes in several messages: what arrived is not sent again, what did not is not lost', async t => {
  const receiver = await startReceiver(t)
  /** The messages that are refused, by their number. */
  const refused = new Set<number>()
  let messages = 0
  const proxy = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', async () => {
      if (refused.has(++messages)) return response.writeHead(400).end()
      const answer = await fetch(receiver.httpUrl + request.url, { method: 'POST', body: Buffer.concat(chunks), headers: { 'content-type': request.headers['content-type']! } })
      return response.writeHead(answer.status).end()
    })
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  const { app } = await open(t, { endpoint: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, temporality: 'delta', timeoutMs: 10_000 })
  const many = app.vitals.counter({ name: 'many_total', help: 'Many.', labels: ['i'] })
  const wait = app.vitals.histogram({ name: 'wait_seconds', help: 'Waited.', unit: 'seconds', labels: ['i'], buckets: [1, 10] })
  const recorded = new Map<string, number>()
  const received = new Map<string, number>()
  const ends = new Map<string, number>()
  const wrong: string[] = []
  const push = async (...failing: number[]): Promise<number> => {
    refused.clear()
    for (const message of failing) refused.add(messages + message)
    receiver.take()
    await app.vitals.push()
    const { metrics } = receiver.take()
    let points = 0
    for (const name of ['many_total', 'wait_seconds']) {
      for (const { attributes, value, count, bucketCounts, startMs, timeMs } of metrics.get(`fastify-vitals ${name}`)?.points ?? []) {
        const key = `${name} ${attributes['i']}`
        const number = value ?? count!
        if (bucketCounts !== undefined && bucketCounts.reduce((sum, each) => sum + each) !== count) wrong.push(`buckets of ${key}`)
        received.set(key, (received.get(key) ?? 0) + number)
        if (ends.has(key) && startMs !== ends.get(key)) wrong.push(`the interval of ${key} does not join the one before`)
        ends.set(key, timeMs)
        points++
      }
    }
    return points
  }
  const record = (): void => {
    for (let i = 0; i < 900; i++) {
      many.inc({ i }, i)
      wait.observe({ i }, i % 20)
      recorded.set(`many_total ${i}`, (recorded.get(`many_total ${i}`) ?? 0) + i)
      recorded.set(`wait_seconds ${i}`, (recorded.get(`wait_seconds ${i}`) ?? 0) + 1)
    }
  }
  record()
  const first = await push(2)
  t.ok(first > 400 && first < 800, 'the first of three arrives')
  record()
  const second = await push(3)
  t.ok(second > 900 && second < 1_500, 'the first two arrive')
  record()
  t.equal(await push(1), 0)
  many.remove({ i: 0 })
  recorded.delete('many_total 0')
  received.delete('many_total 0')
  t.equal(await push(), 1_799)
  t.same([...received].sort(), [...recorded].sort(), 'everything, once')
  await push()
  t.same([...received].sort(), [...recorded].sort())
  t.equal(app.vitals.read('vitals_export_failures_total', { reason: 'rejected' }), 3)
  t.same(wrong, [])
})

t.test('a message that arrives after its push was given up has arrived', async t => {
  const registry = createRegistry()
  const producer = new OtlpProducer(registry, { isDelta: true, isConfirmed: true })
  const tasks = registry.counter({ name: 'tasks_total', help: 'Tasks.' })
  let answer: (() => void) | undefined
  const exporter = { export: (_: unknown, done: (result: { code: number }) => void) => { answer = () => done({ code: 0 }) }, forceFlush: async () => {}, shutdown: async () => {} }
  const watched = new WatchedExporter(exporter, { arrived: message => producer.confirm(message), succeeded: () => {}, failed: () => {} }, { timeoutMs: 1, cut: () => {}, pointsPerMessage: 512 })
  const collected = async () => (await producer.collect()).resourceMetrics
  const valueIn = ({ scopeMetrics }: Awaited<ReturnType<typeof collected>>) => scopeMetrics[0]!.metrics.find(({ descriptor }) => descriptor.name === 'tasks_total')!.dataPoints[0]!.value
  tasks.inc(2)
  const first = await collected()
  // The limit of a push keeps no process alive; here it is all there is.
  const alive = setInterval(() => {}, HOUR_MS)
  t.teardown(() => clearInterval(alive))
  t.match(await new Promise(resolve => watched.export(first, resolve)), { code: 1 })
  answer!()
  answer!()
  tasks.inc(3)
  t.equal(valueIn(await collected()), 3, 'however often it is answered')
  // An answer that comes after the next collection changes nothing of that.
  producer.confirm(first)
  t.equal(valueIn(await collected()), 3)
})

t.test('closes within its bound though nobody answers, and says so', async t => {
  const silent = await startFaulty(t, { kind: 'silence' })
  const { app, log } = await open(t, { endpoint: silent.url, timeoutMs: 60_000, closeTimeoutMs: 100 })
  await app.close()
  t.match(log, ['fastify-vitals: The last push of metrics did not arrive within 100 ms'])
})

t.test('memory stays where it is over a thousand failed pushes', async t => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const { app } = await open(t, { endpoint: 'http://127.0.0.1:1', timeoutMs: 500 })
  const heapAfter = async (pushes: number): Promise<number> => {
    for (let i = 0; i < pushes; i++) await app.vitals.push()
    collectGarbage()
    await setImmediate()
    collectGarbage()
    return process.memoryUsage().heapUsed
  }
  const before = await heapAfter(2_000)
  const after = await heapAfter(1_000)
  // A machine that stands still for half a second makes one a timeout.
  const [unreachable, timeout] = ['unreachable', 'timeout'].map(reason => Number(app.vitals.read('vitals_export_failures_total', { reason }) ?? 0)) as [number, number]
  t.equal(unreachable + timeout, 3_000)
  t.ok(timeout < 10, `${timeout} of them took too long`)
  t.ok(after - before < 1_000_000, `${after - before} bytes more`)
})

t.test('SIGTERM: the last push has the last request, and the process ends by itself', async t => {
  const receiver = await startReceiver(t)
  const script = fileURLToPath(new URL('../support/pushing-service.ts', import.meta.url))
  const child = spawn(process.execPath, [...process.execArgv, script], { env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.httpUrl, OTEL_SERVICE_NAME: 'ends-well', METRICS_AUTH_TOKEN: 'of-secrets' }, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const output = text(child.stdout)
  const [line] = await once(child.stdout, 'data') as [Buffer]
  const { url } = JSON.parse(String(line).trim().split('\n').at(-1)!) as { url: string }
  for (let i = 0; i < 5; i++) await (await fetch(url)).text()
  child.kill('SIGTERM')
  const [code] = await once(child, 'close')
  t.equal(code, 0)
  const { resource, metrics } = receiver.take()
  t.equal(resource['service.name'], 'ends-well')
  t.equal(metrics.get('fastify-vitals http.server.request.duration')!.points.find(point => point.attributes['http.route'] === '/')!.count, 5)
  t.notMatch(await output, /secrets/)
})
