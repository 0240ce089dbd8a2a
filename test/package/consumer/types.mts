import Fastify from 'fastify'
import vitals, { VitalsError, createRegistry, type Vitals, type VitalsOptions } from 'fastify-vitals'

const options: VitalsOptions = { auth: { bearer: ['old', 'new'] }, registry: createRegistry() }
const app = Fastify()
await app.register(vitals, options)
const { enabled }: Vitals = app.vitals

const created = app.vitals.counter({ name: 'tasks_created_total', help: 'Tasks created.', labels: ['organization'] })
created.inc({ organization: 'acme' }, 2)
// @ts-expect-error a label that was not declared
created.inc({ organisation: 'acme' })
// @ts-expect-error an option that does not exist
await app.register(vitals, { authentication: false })
app.get('/health', { config: { vitals: false } }, async () => enabled)

export const codeOf = (error: unknown): string => error instanceof VitalsError ? error.code : ''
export const text: Promise<string> = app.vitals.render({ format: 'openmetrics' })
