import fastify from 'fastify'
import vitals from '../../lib/index.ts'
import type { OtlpOptions } from '../../lib/index.ts'

// Applications that do nothing but push, one after the other, each waited for. It says what was reached.
process.stdout.write('\n')
for (const otlp of JSON.parse(process.argv[2]!) as OtlpOptions[]) {
  const app = fastify()
  await app.register(vitals, { endpoint: false, otlp })
  await app.ready()
  await app.vitals.push()
  process.stdout.write(`${otlp.protocol} pushed\n`)
  await app.close()
  process.stdout.write(`${otlp.protocol} closed\n`)
}
