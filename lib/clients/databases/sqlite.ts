import type { ClientAdapter } from '../client-adapter.ts'
import { SqliteDatabase } from './sqlite-database.ts'

/**
 * better-sqlite3 and node:sqlite, which do their work within the call. Drivers with the interface of one of them are recognised too, but for
 * libsql and Turso: they answer later, or do one call by another.
 */
export const sqlite: ClientAdapter = {
  title: 'better-sqlite3 (Database, not those of libsql and Turso), node:sqlite (DatabaseSync)',
  recognises (client) {
    const { prepare, exec, close, open, pragma, transaction, each, maxWriteReplicationIndex } = client as Readonly<Record<string, unknown>>
    const isDatabase = [prepare, exec, close].every(method => typeof method === 'function')
    // Of node:sqlite it is a method, of sqlite3, which has callbacks, a value.
    const isKnown = typeof open === 'function' || (typeof pragma === 'function' && typeof transaction === 'function')
    return isDatabase && isKnown && each === undefined && maxWriteReplicationIndex === undefined
  },
  attach (client, context) {
    const database = new SqliteDatabase(client, context.db('sqlite'))
    return { detach: () => database.detach() }
  }
}
