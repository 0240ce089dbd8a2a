import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Configuration } from './configuration.ts'
import { isCoded, StartError } from './errors.ts'

const drainMs = 5_000

/** Opens the port and returns the origin under which this machine reaches it. */
export async function listen (app: FastifyInstance, { host, port }: Configuration): Promise<string> {
  try {
    await app.listen({ host, port })
  } catch (error) {
    if (!isCoded(error)) throw error
    const reason = error.code === 'EADDRINUSE' ? 'it is in use. Choose another with PORT' : error.code
    throw new StartError(`Cannot listen on port ${port} of ${host}: ${reason}.`)
  }
  const { port: opened } = app.server.address() as AddressInfo
  return `http://${reachable(host)}:${opened}`
}

/** Closes the service: requests under way may finish, for a while and as long as nobody hurries. */
export async function close (app: FastifyInstance, hurrying: AbortSignal): Promise<void> {
  const cut = (): void => app.server.closeAllConnections()
  const timer = setTimeout(cut, drainMs)
  hurrying.addEventListener('abort', cut)
  if (hurrying.aborted) cut()
  await app.close()
  clearTimeout(timer)
}

/** "All addresses" can be listened on, not connected to everywhere. */
function reachable (host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
