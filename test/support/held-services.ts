import fastify from 'fastify'
import vitals from '../../lib/index.ts'
import type { HistogramValue, OtlpOptions } from '../../lib/index.ts'

// Applications that push at an interval, in a process that has nothing else to do once Node lists a resource of each. It says when that is so, and at its
// end of each whether its push had run out of time, and whether it had arrived.
const { resource, options, largeSeries = 0, does } = JSON.parse(process.argv[2]!) as {
  readonly resource: string
  readonly options: readonly OtlpOptions[]
  /** How many series there are that take 80 KB each. */
  readonly largeSeries?: number
  /** What else the process does: works until each has ended a push, or waits for one of each. */
  readonly does?: 'work' | 'wait'
}
const bounds = Array.from({ length: 5_000 }, (_, i) => i)
const apps = await Promise.all(options.map(async otlp => {
  const app = fastify()
  await app.register(vitals, { endpoint: false, otlp })
  await app.ready()
  const sizes = app.vitals.histogram({ name: 'sizes', help: 'Sizes.', labels: ['i'], buckets: bounds })
  for (let i = 0; i < largeSeries; i++) sizes.observe({ i }, i)
  return app
}))
if (does === 'wait') Promise.all(apps.map(async app => await app.vitals.push())).then(() => process.stdout.write('waited\n'), fail)
let isHeld = false
const work = setInterval(() => {
  if (!isHeld && process.getActiveResourcesInfo().filter(active => active === resource).length >= options.length) {
    isHeld = true
    process.stdout.write('held\n')
  }
  if (isHeld && (does !== 'work' || apps.every(app => ended(app) > 0))) clearInterval(work)
}, 10)
process.once('exit', () => {
  const last = apps.map(app => ({ timedOut: app.vitals.read('vitals_export_failures_total', { reason: 'timeout' }) !== undefined, hasArrived: Number(app.vitals.read('vitals_last_export_timestamp_seconds') ?? 0) > 0 }))
  process.stdout.write(`${JSON.stringify(last)}\n`)
})

function ended (app: typeof apps[number]): number {
  return (app.vitals.read('vitals_export_duration_seconds') as HistogramValue).count
}

function fail (error: unknown): void {
  throw error
}
