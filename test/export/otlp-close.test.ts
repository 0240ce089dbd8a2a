import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { resourceFromAttributes } from '@opentelemetry/resources'
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics'
import t from 'tap'
import type { Test } from 'tap'
import { makeCallsEndable } from '../../lib/export/endable-calls.ts'
import { makeRetriesEndable } from '../../lib/export/endable-retries.ts'
import { createOtlpExporter } from '../../lib/export/exporters.ts'
import type { OtlpProtocol } from '../../lib/export/otlp-options.ts'
import { PROTOCOLS } from '../../lib/export/otlp-options.ts'
import { PushConnections } from '../../lib/export/push-connections.ts'
import type { OtlpOptions } from '../../lib/index.ts'
import { resolveOtlp } from '../../lib/resolve-otlp.ts'
import type { Moment } from '../support/closing-services.ts'
import { startFaulty } from '../support/faulty-receiver.ts'
import { startReceiver } from '../support/otlp-receiver.ts'
import { startSilentGrpc } from '../support/silent-grpc.ts'

const script = fileURLToPath(new URL('../support/closing-services.ts', import.meta.url))

t.test('nothing holds the process between pushes, nor once the application has closed, whatever the receiver does', async t => {
  const receiver = await startReceiver(t)
  const faulty: Record<string, string> = {
    'answers 503': (await startFaulty(t, { kind: 'answer', status: 503 })).url,
    'answers 503 with Retry-After': (await startFaulty(t, { kind: 'answer', status: 503, headers: 'retry-after: 30\r\n' })).url,
    'never answers': (await startFaulty(t, { kind: 'silence' })).url,
    'never ends its answer': (await startFaulty(t, { kind: 'drip' })).url,
    'takes calls and answers none': (await startSilentGrpc(t)).url,
    'refuses the connection': 'http://127.0.0.1:1'
  }
  const cases: { what: string, otlp: OtlpOptions, moment: Moment }[] = PROTOCOLS.flatMap(protocol => [
    { what: `${protocol}, takes all`, otlp: { protocol, endpoint: protocol === 'grpc' ? receiver.grpcUrl : receiver.httpUrl }, moment: 'between pushes' },
    ...Object.entries(faulty).flatMap(([fault, endpoint]) => (['last push', 'push under way'] as const).map(moment => ({ what: `${protocol}, ${fault}, ${moment}`, otlp: { protocol, endpoint }, moment })))
  ])
  const argument = JSON.stringify(cases.map(({ otlp, moment }) => [otlp, moment]))
  const child = spawn(process.execPath, [...process.execArgv, script, argument], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const held = (await text(child.stdout)).trim().split('\n').map(line => JSON.parse(line) as string[])
  t.same(held.map((resources, i) => [cases[i]!.what, resources]), cases.map(({ what }) => [what, []]))
})

const nothing = { resource: resourceFromAttributes({}), scopeMetrics: [] }

async function exporterOf (t: Test, protocol: OtlpProtocol, endpoint: string) {
  const settings = resolveOtlp({ endpoint, protocol, intervalMs: 60_000, timeoutMs: 60_000 }, {})
  const connections = new PushConnections(settings)
  const exporter = await createOtlpExporter(settings, connections, reason => t.fail(reason))
  t.teardown(() => exporter.shutdown())
  return { connections, send: async () => await new Promise<{ code: number }>(resolve => exporter.export(nothing, resolve)) }
}

t.test('tries again, but not once the push is given up', async t => {
  const fault = { kind: 'answer' as const, status: 503, headers: 'retry-after: 1\r\n' }
  const faulty = await startFaulty(t, fault)
  let tries = 0
  faulty.server.on('connection', () => tries++)
  const { send, connections } = await exporterOf(t, 'http/protobuf', faulty.url)
  const first = send()
  const [socket] = await once(faulty.server, 'connection') as [Socket]
  await once(socket, 'close')
  connections.cut()
  t.match(await first, { code: 1, error: { name: 'AbortError' } })
  t.equal(tries, 1)
  const second = send()
  await once(faulty.server, 'connection')
  await once(faulty.server, 'connection')
  fault.status = 200
  t.match(await second, { code: 0 })
  t.equal(tries, 3)
})

t.test('makes no connection once the application has closed', async t => {
  const { send, connections } = await exporterOf(t, 'http/json', (await startFaulty(t, { kind: 'answer', status: 200 })).url)
  t.match(await send(), { code: 0 })
  connections.close()
  t.match(await send(), { code: 1, error: { message: 'No push begins after the application has closed' } })
})

t.test('a call is cancelled, and others are made after it', async t => {
  const { send, connections } = await exporterOf(t, 'grpc', (await startSilentGrpc(t)).url)
  for (const sent of [send(), send()]) {
    connections.onClose()
    t.match(await sent, { code: 1, error: { code: 1 } })
  }
})

t.test('an exporter that is not as expected ends in its own time', async t => {
  const send = async (): Promise<void> => {}
  const client = { close: () => {} }
  for (const insides of [{}, { _delegate: {} }, { _delegate: { _transport: { send } } }]) {
    const exporter = insides as unknown as PushMetricExporter
    t.doesNotThrow(makeRetriesEndable(exporter))
    t.doesNotThrow(makeCallsEndable(exporter))
  }
  const transport: { send: unknown, _client?: unknown } = { send }
  const endCalls = makeCallsEndable({ _delegate: { _transport: transport } } as unknown as PushMetricExporter)
  transport._client = client
  t.equal(transport._client, client)
  transport._client = undefined
  t.equal(transport._client, undefined)
  for (const internalChannel of [undefined, {}, { callRefTimerRef: () => {} }, { callRefTimerRef: () => {}, subchannelPool: {} }]) {
    transport._client = { export: () => {}, getChannel: () => ({ internalChannel }) }
  }
  class Pool {
    getOrCreateSubchannel = (subchannel: unknown): unknown => subchannel
  }
  const internalChannel = { callRefTimerRef: () => {}, subchannelPool: new Pool() }
  transport._client = { export: () => {}, getChannel: () => ({ internalChannel }) }
  for (const subchannel of [{}, { connector: {} }, { connector: { connect: () => {} } }, { connector: { connect: () => {} }, secureConnector: {} }]) {
    t.equal(internalChannel.subchannelPool.getOrCreateSubchannel(subchannel), subchannel)
  }
  const connection = {}
  const subchannel = { connector: { connect: async () => connection }, secureConnector: { connect: async () => {} } }
  internalChannel.subchannelPool.getOrCreateSubchannel(subchannel)
  t.equal(await subchannel.connector.connect(), connection)
  t.same(connection, {})
  t.doesNotThrow(endCalls)
})
