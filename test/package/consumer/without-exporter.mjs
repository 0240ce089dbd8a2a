import Fastify from 'fastify'
import vitals from 'fastify-vitals'

const errors = []
for (const otlp of [true, { protocol: 'http/json' }, { protocol: 'grpc' }]) {
  const app = Fastify()
  try {
    await app.register(vitals, { enabled: true, endpoint: false, otlp })
  } catch ({ name, code, message }) {
    errors.push({ name, code, message })
  }
  await app.close()
}
console.log(JSON.stringify(errors))
