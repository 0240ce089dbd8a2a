import type { FastifyInstance } from 'fastify'
import type { ResolvedOptions } from '../options.ts'
import { addListener } from './listener.ts'
import { addRoute } from './route.ts'
import type { RouteSettings } from './route.ts'

/** The resolved options that concern the endpoint, what it serves, and who is told of each scrape. */
export type EndpointSettings = RouteSettings & Pick<ResolvedOptions, 'listen'> & {
  /** The prefix that the plugin was registered with. */
  readonly prefix?: string | undefined
}

export interface Endpoint {
  /** Where to scrape, once a port is listened on: `http://127.0.0.1:9464/v1/metrics`. */
  url (): string | undefined
}

/** Adds the metrics endpoint to the application, encapsulated: no hook, decorator or limit of it reaches the application's routes. */
export async function registerEndpoint (app: FastifyInstance, { listen, prefix = '', ...settings }: EndpointSettings): Promise<Endpoint> {
  const server = listen === undefined ? app : await addListener(app, listen)
  await server.register(async function metricsEndpoint (child) { await addRoute(child, settings) }, { prefix })
  return { url: () => toUrl(server, `${server.prefix}${prefix}${settings.path}`) }
}

function toUrl (server: FastifyInstance, path: string): string | undefined {
  const address = server.addresses().at(-1)
  if (typeof address !== 'object') return undefined
  const protocol = server.initialConfig.https ? 'https' : 'http'
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `${protocol}://${host}:${address.port}${path}`
}
