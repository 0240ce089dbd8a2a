import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

/** Every service has these two; here they are on purpose, to be seen in the metrics. */
export async function troubleRoutes (app: FastifyInstance): Promise<void> {
  app.get<{ Querystring: { seconds: number } }>('/slow', {
    schema: {
      querystring: {
        type: 'object',
        properties: { seconds: { type: 'number', minimum: 0, maximum: 30, default: 1 } },
      },
    },
  }, async ({ query: { seconds } }, reply) => {
    // A client that is gone waits for nothing.
    const gone = new AbortController()
    reply.raw.once('close', () => gone.abort())
    await delay(seconds * 1_000, undefined, { signal: gone.signal }).catch(() => {})
    return { seconds }
  })

  app.get('/failing', async () => {
    throw new Error('This route always fails')
  })
}
