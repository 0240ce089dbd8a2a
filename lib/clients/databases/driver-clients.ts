import { undoable } from '../all-or-nothing.ts'
import type { Attachment, ClientAdapter, ClientContext } from '../client-adapter.ts'
import { mysql2 } from './mysql2.ts'
import { pg } from './pg.ts'
import { sqlite } from './sqlite.ts'

/** What query builders and mappers are built on. */
const DRIVERS: readonly ClientAdapter[] = [pg, mysql2, sqlite]

function driverOf (client: unknown): ClientAdapter | undefined {
  return typeof client === 'object' && client !== null ? DRIVERS.find(driver => driver.recognises(client)) : undefined
}

/** Whether it is a client of a driver whose queries can be counted. */
export function isDriverClient (client: unknown): client is object {
  return driverOf(client) !== undefined
}

/** The drivers' pools and connections that something built on them has: each is observed as it would be by itself, and once. */
export class DriverClients {
  readonly #context: ClientContext
  readonly #attachments = new WeakMap<object, Attachment>()

  constructor (context: ClientContext) {
    this.#context = context
  }

  /** Returns whether its queries are counted, by this or already. */
  observe (client: object): boolean {
    const { observed } = this.#context
    if (observed.has(client)) return true
    const driver = driverOf(client)
    if (driver === undefined) return false
    observed.add(client)
    undoable(() => observed.delete(client))
    const attachment = this.#context.attachPart(() => driver.attach(client, this.#context))
    if (attachment !== undefined) this.#attachments.set(client, attachment)
    return true
  }

  /** Leaves those of them as they were that were not observed by themselves. */
  release (clients: Iterable<object>): void {
    for (const client of clients) {
      const attachment = this.#attachments.get(client)
      if (attachment === undefined) continue
      attachment.detach()
      this.#attachments.delete(client)
      this.#context.observed.delete(client)
    }
  }
}
