import { Session } from 'node:inspector'
import { metrics } from '@opentelemetry/api'
import fastify from 'fastify'
import vitals from '../../lib/index.ts'

// A service with the options it is given. It says which packages of OpenTelemetry it has loaded, by import or by require().
const scripts = new Set<string>()
const session = new Session()
session.connect()
session.on('Debugger.scriptParsed', ({ params }) => scripts.add(params.url))
session.post('Debugger.enable')

function packages (): string[] {
  const names = [...scripts].flatMap(url => /.*\/node_modules\/(@opentelemetry\/[^/]+)\//.exec(url)?.[1] ?? [])
  return [...new Set(names)].sort()
}

const app = fastify()
await app.register(vitals, JSON.parse(process.argv[2]!) as object)
app.get('/', () => 'hello')
await app.inject('/')
const started = packages()
metrics.getMeter('shop').createCounter('orders').add(1)
const metered = packages()
await app.close()
process.stdout.write(JSON.stringify({ started, metered }))
