import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import fastify from 'fastify'
import vitals from '../../lib/index.ts'
import type { HistogramValue, OtlpOptions } from '../../lib/index.ts'

// Applications that push at an interval, in a process that has nothing else to do once all are connecting, or that works until each has ended a push.
// It says when all are connecting, and at its end of each whether its push had run out of time, and whether it had arrived.
const [argument, isWorking] = process.argv.slice(2)
const options = JSON.parse(argument!) as OtlpOptions[]
let connecting = 0
subscribe('net.client.socket', message => {
  (message as { socket: Socket }).socket.once('connectionAttempt', () => {
    if (++connecting < options.length) return
    process.stdout.write('connecting\n')
  })
})
const apps = await Promise.all(options.map(async otlp => {
  const app = fastify()
  await app.register(vitals, { endpoint: false, otlp })
  await app.ready()
  return app
}))
const work = setInterval(() => {
  if (isWorking === undefined ? connecting >= options.length : apps.every(app => ended(app) > 0)) clearInterval(work)
}, 10)
process.once('exit', () => {
  const last = apps.map(app => ({ timedOut: app.vitals.read('vitals_export_failures_total', { reason: 'timeout' }) !== undefined, hasArrived: Number(app.vitals.read('vitals_last_export_timestamp_seconds') ?? 0) > 0 }))
  process.stdout.write(`${JSON.stringify(last)}\n`)
})

function ended (app: typeof apps[number]): number {
  return (app.vitals.read('vitals_export_duration_seconds') as HistogramValue).count
}
