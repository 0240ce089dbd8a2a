import type { FastifyInstance } from 'fastify'
import { rootOf } from '../contexts.ts'
import { shown, VitalsError } from '../errors.ts'
import type { ListenOptions } from '../options.ts'

/**
 * A server of its own for the metrics: listening once the application is ready, closed with it. On ready and not on listen, because a failure to
 * listen then fails the start (Fastify only logs what an onListen hook throws), and a worker that never listens can be scraped too.
 *
 * @throws VitalsError FSV_ERR_LISTEN from `ready()` and `listen()` of the application
 */
export async function addListener (app: FastifyInstance, { port, host }: Required<ListenOptions>): Promise<FastifyInstance> {
  const { default: Fastify } = await import('fastify')
  const server: FastifyInstance = Fastify({ loggerInstance: app.log, forceCloseConnections: 'idle', requestTimeout: 10_000 })

  app.addHook('onReady', async () => {
    try {
      await server.listen({ port, host })
    } catch (cause) {
      const { code = 'unknown', message } = cause as NodeJS.ErrnoException
      throw new VitalsError('FSV_ERR_LISTEN', `listen must be an address that is free and ours to use, got ${host}:${port}: ${message} (${code})`, { cause })
    }
    // Nobody closes an application that did not start, and this port would outlive it.
    rootOf(app).ready().then(undefined, async (error: unknown) => {
      app.log.error(`fastify-vitals: the application did not start, so its metrics are not served: ${error instanceof Error ? error.message : shown(error)}`)
      await server.close()
    })
  })
  app.addHook('onClose', async () => server.close())
  return server
}
