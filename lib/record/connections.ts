import type { IncomingMessage } from 'node:http'
import type { EventEmitter } from 'node:events'
import { performance } from 'node:perf_hooks'
import type { Counter, CounterSeries } from '../series/counter.ts'
import type { Gauge, GaugeSeries } from '../series/gauge.ts'
import type { Histogram, HistogramSeries } from '../series/histogram.ts'
import type { Registry } from '../series/registry.ts'

/** Bounds for how long connections stay open, in seconds: from a glance to a day. */
const CONNECTION_BUCKETS: readonly number[] = Object.freeze([1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 21_600, 86_400])

export type ConnectionType = 'sse' | 'websocket'

interface ConnectionSeries {
  readonly active: GaugeSeries
  readonly total: CounterSeries
  readonly duration: HistogramSeries
}

/** The connections set, for what stays open: server-sent events and WebSockets. Its series appear with the first one. */
export class Connections {
  readonly #active: Gauge<'type'>
  readonly #total: Counter<'type'>
  readonly #duration: Histogram<'type'>
  readonly #sent: Counter<'type'>
  readonly #types = new Map<ConnectionType, ConnectionSeries>()

  constructor (registry: Registry) {
    const labels = ['type'] as const
    this.#active = registry.gauge({
      name: 'connections_active',
      help: 'Long-lived connections open now.',
      labels,
      otlp: { name: 'connections.active', unit: '{connection}', isUpDown: true, isInteger: true }
    })
    this.#total = registry.counter({
      name: 'connections_total',
      help: 'Long-lived connections opened.',
      labels,
      otlp: { name: 'connections.total', unit: '{connection}', isInteger: true }
    })
    this.#duration = registry.histogram({
      name: 'connections_duration_seconds',
      help: 'Time that long-lived connections stayed open.',
      labels,
      unit: 'seconds',
      buckets: CONNECTION_BUCKETS,
      otlp: { name: 'connections.duration', unit: 's' }
    })
    this.#sent = registry.counter({
      name: 'connections_messages_sent_total',
      help: 'Messages sent on long-lived connections.',
      labels,
      otlp: { name: 'connections.messages.sent.total', unit: '{message}', isInteger: true }
    })
  }

  /** A connection opened; call the result when it closes. */
  open (type: ConnectionType): () => void {
    const { active, total, duration } = this.#of(type)
    const startMs = performance.now()
    total.inc()
    const raised = active.raise()
    return () => {
      raised.lower()
      duration.observe((performance.now() - startMs) / 1_000)
    }
  }

  sent (type: ConnectionType): void {
    this.#sent.inc({ type })
  }

  #of (type: ConnectionType): ConnectionSeries {
    let series = this.#types.get(type)
    if (series === undefined) {
      series = { active: this.#active.with({ type }), total: this.#total.with({ type }), duration: this.#duration.with({ type }) }
      this.#types.set(type, series)
    }
    return series
  }
}

type WebSocket = EventEmitter & { send: (...args: unknown[]) => void }

/** Watches the server of @fastify/websocket. */
export function watchWebSockets (server: EventEmitter, connections: Connections, onUpgraded: (req: IncomingMessage) => void): void {
  server.on('connection', (socket: WebSocket, req: IncomingMessage) => {
    onUpgraded(req)
    const close = connections.open('websocket')
    const { send } = socket
    socket.send = function countingSend (...args) {
      connections.sent('websocket')
      return send.apply(this, args)
    }
    socket.once('close', close)
  })
}
