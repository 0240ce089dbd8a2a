import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Test } from 'tap'
import { PROTOCOLS } from '../../lib/export/otlp-options.ts'
import { startReceiver } from '../support/otlp-receiver.ts'

const support = (name: string): string => fileURLToPath(new URL(`../support/${name}.ts`, import.meta.url))

/** Long enough for a connection that was not taken at once to be taken. */
const INTERVAL_MS = 6_000
/** Long enough for three messages of 16 MB to be encoded, which is more than the kernel takes for a receiver. */
const ENCODING_MS = 10_000
const HTTP = PROTOCOLS.filter(protocol => protocol !== 'grpc')

const receiver = await startReceiver(t)
const portOf = (protocol: string): number => Number(new URL(protocol === 'grpc' ? receiver.grpcUrl : receiver.httpUrl).port)

/** Listeners that are stopped until they are told to go on, one before each receiver. */
async function startStopped (t: Test, receivers: readonly number[], backlog: number): Promise<{ ports: readonly number[], goOn: () => void }> {
  const listener = fork(support('stopped-listener'), [JSON.stringify({ receivers, backlog })])
  t.teardown(() => listener.kill('SIGKILL'))
  const [ports] = await once(listener, 'message') as [number[]]
  listener.kill('SIGSTOP')
  return { ports, goOn: () => listener.kill('SIGCONT') }
}

/** Such that no further connection is even established. */
async function startFull (t: Test, receivers: readonly number[]): ReturnType<typeof startStopped> {
  const stopped = await startStopped(t, receivers, 1)
  await Promise.all([...stopped.ports, ...stopped.ports].map(async port => {
    const filling = connect(port, '127.0.0.1').on('error', () => {})
    t.teardown(() => filling.destroy())
    await once(filling, 'connect')
  }))
  return stopped
}

/** Runs services, calls back once each is held by something, and returns what they said, the last parsed. */
async function run (t: Test, services: Readonly<Record<string, unknown>>, { onHeld = () => {}, env = {} }: { onHeld?: () => void, env?: NodeJS.ProcessEnv } = {}): Promise<{ lines: readonly string[], last: unknown }> {
  const child = spawn(process.execPath, [...process.execArgv, support('held-services'), JSON.stringify(services)], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } })
  t.teardown(() => child.kill('SIGKILL'))
  const lines: string[] = []
  for await (const line of createInterface(child.stdout)) {
    lines.push(line)
    if (line === 'held') onHeld()
  }
  return { lines, last: JSON.parse(lines.at(-1)!) }
}

const GIVEN_UP = { timedOut: false, hasArrived: false }

t.test('a connection that is being made does not hold a process that has nothing else to do', async t => {
  const kinds = PROTOCOLS.flatMap(protocol => ['http', 'https'].map(scheme => ({ protocol, scheme })))
  const { ports } = await startFull(t, kinds.map(({ protocol }) => portOf(protocol)))
  const options = kinds.map(({ protocol, scheme }, i) => ({ protocol, endpoint: `${scheme}://127.0.0.1:${ports[i]}`, intervalMs: INTERVAL_MS }))
  t.same((await run(t, { resource: 'ConnectWrap', options })).last, kinds.map(() => GIVEN_UP), 'it ended before the pushes were given up')
})

t.test('nor does one to a proxy, over gRPC', async t => {
  const { ports: [port] } = await startFull(t, [portOf('grpc')])
  const options = [{ protocol: 'grpc', endpoint: receiver.grpcUrl, intervalMs: INTERVAL_MS }]
  t.same((await run(t, { resource: 'ConnectWrap', options }, { env: { grpc_proxy: `http://127.0.0.1:${port}` } })).last, [GIVEN_UP])
})

t.test('it is left alone in a process that has', async t => {
  const { ports, goOn } = await startFull(t, PROTOCOLS.map(portOf))
  const options = PROTOCOLS.map((protocol, i) => ({ protocol, endpoint: `http://127.0.0.1:${ports[i]}`, intervalMs: INTERVAL_MS }))
  t.same((await run(t, { resource: 'ConnectWrap', options, does: 'work' }, { onHeld: goOn })).last, PROTOCOLS.map(() => ({ timedOut: false, hasArrived: true })))
})

t.test('a push that is waited for is waited for', async t => {
  const { ports } = await startFull(t, PROTOCOLS.map(portOf))
  const options = PROTOCOLS.map((protocol, i) => ({ protocol, endpoint: `http://127.0.0.1:${ports[i]}`, intervalMs: 60_000, timeoutMs: 1_500 }))
  const { lines, last } = await run(t, { resource: 'ConnectWrap', options, does: 'wait' })
  t.same(lines.slice(0, 2), ['held', 'waited'])
  t.same(last, PROTOCOLS.map(() => ({ timedOut: true, hasArrived: false })))
})

t.test('bytes that the receiver does not take do not hold a process that has nothing else to do', async t => {
  const { ports } = await startStopped(t, HTTP.map(portOf), 511)
  const listener = fork(support('stopping-grpc'))
  t.teardown(() => listener.kill('SIGKILL'))
  const [grpcPort] = await once(listener, 'message') as [number]
  const options = [...HTTP.map((protocol, i) => ({ protocol, port: ports[i] })), { protocol: 'grpc', port: grpcPort }]
    .map(({ protocol, port }) => ({ protocol, endpoint: `http://127.0.0.1:${port}`, intervalMs: ENCODING_MS }))
  t.same((await run(t, { resource: 'SimpleWriteWrap', options, largeSeries: 200 })).last, options.map(() => GIVEN_UP), 'it ended before the pushes were given up')
})
