import fastify from 'fastify'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import vitals from '../../lib/index.ts'
import type { VitalsOptions } from '../../lib/index.ts'

export interface Setup {
  /** Options of Fastify, HTTP/2 and TLS ones included. */
  fastify?: FastifyServerOptions & Record<string, unknown>
  vitals?: VitalsOptions
  host?: string
  /** What stands before the plugin. */
  before?: (app: FastifyInstance) => unknown
}

export interface Running {
  app: FastifyInstance
  port: number
}

/** A listening application with the plugin on, closed with the test. */
export async function start (t: Test, routes: (app: FastifyInstance) => unknown, setup: Setup = {}): Promise<Running> {
  const app = fastify({ forceCloseConnections: true, ...setup.fastify }) as unknown as FastifyInstance
  t.teardown(() => app.close())
  await setup.before?.(app)
  await app.register(vitals, { enabled: true, endpoint: false, ...setup.vitals })
  await routes(app)
  await app.listen({ port: 0, host: setup.host ?? '127.0.0.1' })
  return { app, port: (app.server.address() as AddressInfo).port }
}
