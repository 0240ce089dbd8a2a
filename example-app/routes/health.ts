import type { FastifyInstance } from 'fastify'
import type { Services } from '../app.ts'

export async function healthRoutes (app: FastifyInstance, { database }: Services): Promise<void> {
  app.get('/health', async (request, reply) => {
    try {
      await database.query('select 1')
      return { status: 'healthy', database: 'up' }
    } catch (error) {
      request.log.warn(error, 'the database does not answer')
      return reply.code(503).send({ status: 'down', database: 'down' })
    }
  })
}
