import fastify from 'fastify'
import vitals from '../../lib/index.ts'
import type { HistogramValue, OtlpOptions } from '../../lib/index.ts'

// Applications that push at an interval until whoever started the process has no more to say to it; nobody closes them. At its end it says
// how many pushes of each had ended by then.
const apps = await Promise.all((JSON.parse(process.argv[2]!) as OtlpOptions[]).map(async otlp => {
  const app = fastify()
  await app.register(vitals, { endpoint: false, otlp })
  await app.ready()
  return app
}))
process.stdin.resume()
process.once('exit', () => {
  process.stdout.write(`\n${JSON.stringify(apps.map(app => (app.vitals.read('vitals_export_duration_seconds') as HistogramValue).count))}\n`)
})
