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

/** Receivers that take no connection before they are told to go on. */
async function startFull (t: Test, ports: readonly number[]): Promise<{ ports: readonly number[], goOn: () => void }> {
  const listener = fork(support('full-listener'), ports.map(String))
  t.teardown(() => listener.kill('SIGKILL'))
  const [own] = await once(listener, 'message') as [number[]]
  listener.kill('SIGSTOP')
  await Promise.all([...own, ...own].map(async port => {
    const filling = connect(port, '127.0.0.1').on('error', () => {})
    t.teardown(() => filling.destroy())
    await once(filling, 'connect')
  }))
  return { ports: own, goOn: () => listener.kill('SIGCONT') }
}

const receiver = await startReceiver(t)

/** Runs a push of every protocol to receivers that take no connection, calls back once all are being made, and returns the last that the process said. */
async function run (t: Test, args: readonly string[], onConnecting: (goOn: () => void) => void): Promise<unknown> {
  const { ports, goOn } = await startFull(t, PROTOCOLS.map(protocol => Number(new URL(protocol === 'grpc' ? receiver.grpcUrl : receiver.httpUrl).port)))
  const options = PROTOCOLS.map((protocol, i) => ({ protocol, endpoint: `http://127.0.0.1:${ports[i]}`, intervalMs: INTERVAL_MS }))
  const child = spawn(process.execPath, [...process.execArgv, support('connecting-services'), JSON.stringify(options), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  let last = ''
  for await (const line of createInterface(child.stdout)) {
    last = line
    if (line === 'connecting') onConnecting(goOn)
  }
  return JSON.parse(last)
}

t.test('a connection that is being made does not hold a process that has nothing else to do', async t => {
  t.same(await run(t, [], () => {}), PROTOCOLS.map(() => ({ timedOut: false, hasArrived: false })), 'it ended before the pushes were given up')
})

t.test('it is left alone in a process that has', async t => {
  t.same(await run(t, ['works'], goOn => goOn()), PROTOCOLS.map(() => ({ timedOut: false, hasArrived: true })))
})
