import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { DbSession, DbSubject } from '../db-contract.ts'

/** The path of a database in a folder that goes with the test. */
export function sqliteFile (t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'vitals-sqlite-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'contract.db')
}

/** What the contract says of all databases of SQLite. */
export const sqlite: Omit<DbSubject, 'title' | 'open'> = {
  system: 'sqlite',
  server: undefined,
  hasPool: false,
  touched: ['prepare', 'exec', 'pragma', 'transaction', 'close'],
  sleep: () => '',
  errorTypes: { duplicate: 'SQLITE_CONSTRAINT_PRIMARYKEY', refused: '', broken: [] },
  rows: result => result
}

interface Database {
  exec (sql: string): unknown
  close (): unknown
}

export function openSqlite<D extends Database> (database: D, run: (database: D, sql: string) => unknown): DbSession {
  database.exec('pragma journal_mode = WAL; pragma synchronous = OFF')
  return {
    client: database,
    run: async sql => run(database, sql),
    runTogether: async statements => {
      for (const sql of statements) {
        try {
          run(database, sql.replace('start transaction', 'begin'))
        } catch (error) {
          if (!/no transaction is active/.test((error as Error).message)) throw error
        }
      }
    },
    close: async () => { database.close() }
  }
}
