import type { FastifyInstance } from 'fastify'
import type { Services } from '../app.ts'
import { HttpError } from '../errors.ts'
import { organizationParams, slug, task, title } from '../schemas.ts'
import type { OrganizationParams } from '../schemas.ts'
import { searchTasks } from '../tasks.ts'

/** The password of everybody: there is nothing to protect here but the way in. */
const password = 'demo'

/** Routes that nobody may call at will: guesses at passwords, and the dear search. */
export async function limitedRoutes (app: FastifyInstance, { database }: Services): Promise<void> {
  app.post<{ Body: { user: string, password: string } }>('/login', {
    config: { rateLimit: { max: 5, timeWindow: '1 minute', groupId: 'login' } },
    schema: {
      body: { type: 'object', required: ['user', 'password'], additionalProperties: false, properties: { user: slug, password: { type: 'string', maxLength: 100 } } },
    },
  }, async ({ body }) => {
    if (body.password !== password) throw new HttpError(401, 'Wrong user or password')
    return { user: body.user }
  })

  app.get<{ Params: OrganizationParams, Querystring: { text: string } }>('/organizations/:organization/search', {
    config: { rateLimit: { max: 30, timeWindow: '1 minute', groupId: 'search' } },
    schema: {
      params: organizationParams,
      querystring: { type: 'object', required: ['text'], properties: { text: title } },
      response: { 200: { type: 'array', items: task } },
    },
  }, async ({ params: { organization }, query: { text } }) => searchTasks(database, organization, text))
}
