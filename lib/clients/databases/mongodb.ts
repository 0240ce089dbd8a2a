import { VitalsError } from '../../errors.ts'
import type { Attachment, ClientAdapter, ClientContext } from '../client-adapter.ts'
import { watchMongoCommands } from './mongodb-commands.ts'
import { watchMongoPools } from './mongodb-pools.ts'

/** What is used of a MongoClient: its events, and the switch that makes it emit those of commands. */
export interface MongoClient extends NodeJS.EventEmitter {
  monitorCommands: boolean
  /** There as soon as the client connects, until it is closed. */
  readonly topology?: unknown
  readonly options?: { readonly dbName?: string }
}

/** The official driver: its command events, and those of its connection pools. */
export const mongodb: ClientAdapter = {
  title: 'mongodb (MongoClient)',
  recognises: client => {
    const { db, startSession, connect, on } = client as Readonly<Record<string, unknown>>
    return [db, startSession, connect, on].every(method => typeof method === 'function') && 'monitorCommands' in client
  },
  attach: (client, context) => attach(client as MongoClient, context)
}

function attach (client: MongoClient, context: ClientContext): Attachment {
  if (client.topology != null) {
    throw new VitalsError('FSV_ERR_CLIENT_CONNECTED', 'A MongoClient must be instrumented before it connects: its connections take over then whether commands are monitored, got one that is connected. Call instrument(client, { name }) right behind new MongoClient(…), or close the client before')
  }
  if (Object.isFrozen(client)) throw new TypeError('it is frozen, and so is the number of its listeners')
  const db = context.db('mongodb', client.options?.dbName)
  const wasMonitoring = client.monitorCommands
  client.monitorCommands = true
  const stops = [watchMongoCommands(client, db), watchMongoPools(client, db)]
  return {
    detach () {
      for (const stop of stops) stop()
      client.monitorCommands = wasMonitoring
    }
  }
}
