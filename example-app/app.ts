import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import vitals from 'fastify-vitals'
import { countTasks, defineBusinessMetrics } from './business-metrics.ts'
import type { BusinessMetrics } from './business-metrics.ts'
import type { Database } from './database.ts'
import { answerError } from './errors.ts'
import { addLimits } from './limits.ts'
import { createOrganizationCache } from './organization-cache.ts'
import type { OrganizationCache } from './organization-cache.ts'
import { companyRoutes } from './routes/companies.ts'
import { healthRoutes } from './routes/health.ts'
import { limitedRoutes } from './routes/limited.ts'
import { organizationRoutes } from './routes/organizations.ts'
import { projectRoutes } from './routes/projects.ts'
import { taskExportRoutes } from './routes/task-export.ts'
import { taskRoutes } from './routes/tasks.ts'
import { taskUpdateRoutes } from './routes/task-updates.ts'
import { troubleRoutes } from './routes/trouble.ts'
import { TaskUpdates } from './task-updates.ts'

/** What the routes work with. */
export interface Services {
  database: Database
  metrics: BusinessMetrics
  updates: TaskUpdates
  organizations: OrganizationCache
  /** The origin of the other service. */
  companyRegister: string
}

interface Dependencies {
  database: Database
  metricsToken: string
  redisUrl: string | undefined
  companyRegister: string
}

const countTasksEveryMs = 2_000

export async function buildApp ({ database, metricsToken, redisUrl, companyRegister }: Dependencies): Promise<FastifyInstance> {
  const app = Fastify({ logger: { level: 'warn' } })

  await app.register(vitals, { auth: { bearer: metricsToken }, outbound: true })
  app.vitals.instrument(database, { name: 'primary' })
  await addLimits(app, redisUrl)
  const metrics = defineBusinessMetrics(app.vitals)
  keepCounting(app, database, metrics)

  app.setErrorHandler(answerError)
  const services: Services = { database, metrics, updates: new TaskUpdates(), organizations: createOrganizationCache(app, redisUrl), companyRegister }
  await app.register(organizationRoutes, services)
  await app.register(companyRoutes, services)
  await app.register(projectRoutes, services)
  await app.register(taskRoutes, services)
  await app.register(taskExportRoutes, services)
  await app.register(taskUpdateRoutes, services)
  await app.register(limitedRoutes, services)
  await app.register(healthRoutes, services)
  await app.register(troubleRoutes)
  return app
}

function keepCounting (app: FastifyInstance, database: Database, metrics: BusinessMetrics): void {
  const count = (): Promise<void> => countTasks(database, metrics.tasks)
    .catch((error: unknown) => app.log.warn(error, 'cannot count the tasks'))
  let timer: NodeJS.Timeout
  app.addHook('onReady', async () => {
    await count()
    timer = setInterval(count, countTasksEveryMs)
  })
  app.addHook('onClose', async () => clearInterval(timer))
}
