import Fastify = require('fastify')
import vitals = require('fastify-vitals')
import { VitalsError, type VitalsOptions } from 'fastify-vitals'

const options: VitalsOptions = { auth: { bearer: 'secret' }, registry: vitals.createRegistry() }
const app = Fastify()
app.register(vitals, options).then(() => app.vitals.counter({ name: 'tasks_created_total', help: 'Tasks.' }).inc())

const same: typeof vitals.VitalsError = VitalsError

export { same }
