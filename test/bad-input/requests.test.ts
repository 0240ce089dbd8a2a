import { fork } from 'node:child_process'
import { once } from 'node:events'
import { METHODS } from 'node:http'
import { connect } from 'node:net'
import t from 'tap'
import { parseExposition } from '../support/exposition-grammar.ts'
import { checkMetrics } from '../support/promtool.ts'
import { seededRandom } from '../support/store.ts'

const kRequests = 20_000
const kConnections = 32
const kHeapGrowthBytes = 2_000_000

interface Report { heapBytes: number, prometheus: string, openmetrics: string }

const random = seededRandom(1_234)
const below = (n: number) => Math.floor(random() * n)
const pick = <T>(from: readonly T[]): T => from[below(from.length)]!
const kBytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte))
const junk = (length: number, from = kBytes) => Array.from({ length: below(length) }, () => pick(from)).join('')
const kVisible = kBytes.filter(byte => byte > ' ' && byte <= '~')
const kFieldText = kBytes.filter(byte => byte >= ' ' && byte !== '\x7F')
/** CONNECT has no answer from a server that does not tunnel. */
const kMethods = METHODS.filter(method => method !== 'CONNECT')
const kEndpoints = new Set(['/', '/users/:id', '/users', '/any/*', '/fails', '/v1/metrics', 'unmatched', 'malformed'])

/** A request line's target: hostile, but one that an HTTP parser lets through. */
function target (): string {
  return pick([
    () => `/${junk(40, kVisible)}`,
    () => `/users/${encodeURIComponent(junk(30))}`,
    () => `/users/${below(1e9)}?${junk(30, kVisible)}`,
    () => `/users/${'x'.repeat(below(300))}`,
    () => `/any/${junk(60, kVisible)}`,
    () => `/%${junk(4, kVisible)}`,
    () => '/%E0%A4%A',
    () => `//${junk(10, kVisible)}/../..;${below(100)}`,
    () => `http://${junk(5, [...'abc.:1'])}@${junk(10, [...'abc.:1'])}/${junk(10, kVisible)}`,
    () => '*',
    () => `/wp-admin/${below(1e9)}.php`,
    () => '/',
    () => '/fails',
    () => '/v1/metrics'
  ])().replace(/^$/, '/')
}

function host (): string {
  return pick([() => 'localhost', () => `${below(1e9)}.example`, () => junk(40, kFieldText).trim(), () => ''])()
}

function headers (): string {
  const kNames = ['X-Forwarded-For', 'User-Agent', 'Accept', 'Accept-Encoding', 'Authorization', 'Cookie', 'Content-Type', 'Range', 'Accept-Version', 'Via', 'traceparent', 'X-Http-Method-Override']
  return Array.from({ length: below(6) }, () => `${pick([pick(kNames), `X-${junk(12, [...'abc-xyz0189_'])}`])}: ${junk(60, kFieldText)}\r\n`).join('')
}

/** A request that a server answers, whatever it thinks of it. */
function strangeRequest (connection = ''): string {
  const method = pick(kMethods)
  return `${method} ${target()} HTTP/1.1\r\nHost: ${host()}\r\n${connection}${headers()}${pick(['', 'Content-Length: 0\r\n'])}\r\n`
}

/** A request that a server refuses, closing the connection: the answers before it could be lost, so it comes alone. */
function brokenRequest (): string {
  return pick([
    () => `POST /users HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n${junk(1)}{"a": nul`,
    () => `${junk(10, [...'ABCXYZ'])}Q / HTTP/1.1\r\nHost: x\r\n\r\n`,
    () => 'get / HTTP/1.1\r\nHost: x\r\n\r\n',
    () => `GET / HTTP/${below(10)}.${below(10)}x\r\n\r\n`,
    () => `GET / HTTP/1.1\r\n${junk(10, kVisible)}\x01: x\r\n\r\n`,
    () => `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`,
    () => 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    () => 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
    () => `GET /${junk(10, kVisible)} HTTP/1.1\r\nConnection: close\r\n\r\n`,
    () => 'GET / HTTP/1.1\r\nHost: x\r\nExpect: the impossible\r\nConnection: close\r\n\r\n',
    () => 'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n',
    () => `\x16\x03\x01${junk(100)}\r\n\r\n`,
    () => `GET ${junk(5, kVisible)}\0 HTTP/1.1\r\nHost: x\r\n\r\n`
  ])()
}

/** One connection's requests, one after another; resolves with the status of each answer. */
async function converse (port: number, requests: string[]): Promise<number[]> {
  const socket = connect(port, '127.0.0.1')
  const statuses: number[] = []
  let received = ''
  socket.on('data', chunk => { received += chunk.toString('latin1') })
  socket.on('error', () => {})
  socket.write(Buffer.from(requests.join(''), 'latin1'))
  await once(socket, 'close')
  for (const [, status] of received.matchAll(/HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n/g)) statuses.push(Number(status))
  return statuses
}

t.test('20,000 random URLs, methods, headers and Hosts add no series and no heap, and none is lost', { timeout: 110_000 }, async t => {
  const server = fork(new URL('server.ts', import.meta.url), { execArgv: process.execArgv })
  t.teardown(() => server.kill())
  const [{ port }] = await once(server, 'message') as [{ port: number }]
  const report = async (): Promise<Report> => {
    server.send('report')
    const [message] = await once(server, 'message')
    return message as Report
  }
  const answered = new Map<number, number>()
  const unanswered: string[] = []
  const storm = async (count: number) => {
    let left = count
    const worker = async () => {
      while (left > 0) {
        const isBroken = random() < 0.5
        const requests = isBroken ? [brokenRequest()] : Array.from({ length: Math.min(below(24), left - 1) }, () => strangeRequest())
        if (!isBroken) requests.push(strangeRequest('Connection: close\r\n'))
        left -= requests.length
        const statuses = await converse(port, requests)
        if (statuses.length !== requests.length) unanswered.push(requests.join(''))
        for (const status of statuses) answered.set(status, (answered.get(status) ?? 0) + 1)
      }
    }
    await Promise.all(Array.from({ length: kConnections }, worker))
  }

  await storm(kRequests / 4)
  const warm = await report()
  await storm(kRequests * 3 / 4)
  const end = await report()

  const parsed = parseExposition(end.prometheus, 'prometheus')
  t.ok(parseExposition(end.openmetrics, 'openmetrics').has('http_requests'))
  t.strictSame(await checkMetrics(end.prometheus), { parses: true, complaints: '' })
  t.ok(parseExposition(warm.prometheus, 'prometheus').has('http_requests_total'))

  t.strictSame(unanswered.map(sent => sent.slice(0, 200)).slice(0, 5), [], 'every request has one answer')
  const counted = new Map<number, number>()
  for (const { labels, value } of parsed.get('http_requests_total')!.samples) {
    t.ok(kEndpoints.has(labels.endpoint!), `endpoint ${labels.endpoint}`)
    t.ok(labels.method === '_OTHER' || kMethods.includes(labels.method!), `method ${labels.method}`)
    t.match(labels.status, /^[1-5]\d\d$/)
    counted.set(Number(labels.status), (counted.get(Number(labels.status)) ?? 0) + value)
  }
  const sorted = (tally: Map<number, number>) => [...tally].filter(([, count]) => count > 0).sort(([a], [b]) => a - b)
  t.strictSame(sorted(counted), sorted(answered), 'every answer is counted, by its status')
  for (const { labels, value } of parsed.get('http_requests_in_progress')!.samples) t.equal(value, 0, `in progress ${JSON.stringify(labels)}`)

  const grown = end.heapBytes - warm.heapBytes
  t.comment(`heap ${warm.heapBytes} → ${end.heapBytes} (${grown}), answers ${JSON.stringify(sorted(answered))}, lines ${end.prometheus.split('\n').length}`)
  t.ok(grown < kHeapGrowthBytes, `the heap grew by ${grown} bytes`)
  server.send('close')
  const [code] = await once(server, 'exit')
  t.equal(code, 0)
})
