import type { ClientAdapter } from '../client-adapter.ts'
import { DriverClients, isDriverClient } from './driver-clients.ts'

interface Drizzle {
  readonly $client: object
  /** Of `withReplicas()`. */
  readonly $replicas?: readonly Drizzle[]
}

/** Drizzle: the client of the driver that it was given or has made, and those of its replicas. */
export const drizzle: ClientAdapter = {
  title: 'drizzle (on pg, mysql2 or better-sqlite3)',
  recognises: client => {
    const { $client, select, insert, transaction } = client as Readonly<Record<string, unknown>>
    return [select, insert, transaction].every(method => typeof method === 'function') && isDriverClient($client)
  },
  attach: (client, context) => {
    const own = clientsOf(client as Drizzle)
    const clients = new DriverClients(context)
    for (const one of own) clients.observe(one)
    return { detach: () => clients.release(own) }
  }
}

function clientsOf ({ $client, $replicas = [] }: Drizzle): object[] {
  return [$client, ...$replicas.flatMap(clientsOf)]
}
