import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { OtlpProtocol } from '../../lib/export/otlp-options.ts'
import { PROTOCOLS } from '../../lib/export/otlp-options.ts'
import type { Fault } from '../support/faulty-receiver.ts'
import { startFaulty } from '../support/faulty-receiver.ts'
import { startSilentGrpc } from '../support/silent-grpc.ts'

const script = fileURLToPath(new URL('../support/unattended-services.ts', import.meta.url))

/** Long enough for what is under way to be seen, and that a push still has when all are under way. */
const INTERVAL_MS = 6_000

async function firstBytes (server: Server): Promise<void> {
  const [socket] = await once(server, 'connection') as [Socket]
  await once(socket, 'data')
}

t.test('a push that nobody waits for holds no process, whatever the receiver does', async t => {
  const begun: Promise<unknown>[] = []
  const faulty = async (fault: Fault): Promise<string> => {
    const { server, url } = await startFaulty(t, fault)
    begun.push(firstBytes(server))
    return url
  }
  const cases: { protocol: OtlpProtocol, what: string, endpoint: string }[] = []
  for (const protocol of PROTOCOLS) {
    const endpoints: Record<string, string> = {
      'never answers': await faulty({ kind: 'silence' }),
      'never ends the TLS handshake': (await faulty({ kind: 'silence' })).replace('http://127.0.0.1', 'https://localhost')
    }
    if (protocol === 'grpc') {
      const { server, url } = await startSilentGrpc(t)
      begun.push(once(server, 'stream'))
      endpoints['takes calls and answers none'] = url
    } else {
      endpoints['answers 503'] = await faulty({ kind: 'answer', status: 503 })
      endpoints['answers 503 with Retry-After'] = await faulty({ kind: 'answer', status: 503, headers: 'retry-after: 2\r\n' })
      endpoints['never ends its answer'] = await faulty({ kind: 'drip' })
      endpoints['refuses the connection'] = 'http://127.0.0.1:1'
    }
    for (const [what, endpoint] of Object.entries(endpoints)) cases.push({ protocol, what, endpoint })
  }
  const argument = JSON.stringify(cases.map(({ protocol, endpoint }) => ({ protocol, endpoint, intervalMs: INTERVAL_MS })))
  const child = spawn(process.execPath, [...process.execArgv, script, argument], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const said = text(child.stdout)
  await Promise.all(begun)
  child.stdin.end()
  t.equal((await once(child, 'exit'))[0], 0)
  const ended = JSON.parse((await said).trim().split('\n').at(-1)!) as number[]
  t.same(cases.map(({ protocol, what }, i) => [protocol, what, ended[i]]), cases.map(({ protocol, what }) => [protocol, what, 0]), 'each was under way when the process ended by itself')
})
