import type { ClientAdapter } from '../client-adapter.ts'
import { DriverClients, isDriverClient } from './driver-clients.ts'

/** Drizzle: the client of the driver that it was given or has made. */
export const drizzle: ClientAdapter = {
  title: 'drizzle (on pg, mysql2 or better-sqlite3)',
  recognises: client => {
    const { $client, select, insert, transaction } = client as Readonly<Record<string, unknown>>
    return [select, insert, transaction].every(method => typeof method === 'function') && isDriverClient($client)
  },
  attach: (client, context) => {
    const { $client } = client as { $client: object }
    const clients = new DriverClients(context)
    clients.observe($client)
    return { detach: () => clients.release([$client]) }
  }
}
