import { OTHER } from '../databases/db.ts'
import { CONTROLS } from './sql-operations.ts'
import { SqlTokens } from './sql-tokens.ts'
import { SYNTAX } from './sql-dialect.ts'
import type { SqlDialect } from './sql-dialect.ts'
import { StatementReader } from './statement-reader.ts'

export type { SqlDialect } from './sql-dialect.ts'

/** What a statement does to the transaction of its connection. */
export type TransactionControl = 'begin' | 'commit' | 'rollback' | SavepointControl

/** SAVEPOINT, ROLLBACK TO and RELEASE of SQLite, whose outermost savepoint is a transaction ("Savepoints", 2). */
export interface SavepointControl {
  readonly does: 'set' | 'return' | 'release'
  /** The name as the database knows it. */
  readonly savepoint: string
}

/** What is told of an SQL text. Of its values nothing is. */
export interface Statement {
  /** The first word of the statement in upper case (`SELECT`, `CREATE`, `EXPLAIN`), behind WITH that of the main statement; `other` where it is none of a fixed list. */
  readonly operation: string
  /** The first table of the main clause, else the first of all, with its schema where that is given; `other` where there is none that can be told. */
  readonly table: string
  /** What the text does to the transaction of its connection, when it is through. */
  readonly transaction: TransactionControl | undefined
  /** What it did before that, where it holds several statements; else absent. In PostgreSQL a transaction that begins by itself is there too, and one that is chained is begun. */
  readonly earlier?: readonly TransactionControl[]
  /** Whether the last begins with the end of the one before: COMMIT AND CHAIN; else absent. */
  readonly isChained?: boolean
}

const LONGEST_TABLE = 128
const LAST_CONTROL = 0x9f

/**
 * Tells what a text is about: its first statement, or the first behind those that control a transaction. Reads the
 * first 16,384 characters, in time that is proportional to them. Never throws.
 */
export function parseStatement (sql: string, dialect: SqlDialect): Statement {
  const tokens = new SqlTokens(sql, dialect)
  let first: StatementReader | undefined
  const controls: TransactionControl[] = []
  let isBegun = false
  let isChained = false
  for (let isMore = true; isMore;) {
    const reader = new StatementReader(tokens, dialect)
    isMore = reader.read()
    if (reader.isEmpty) continue
    if (first === undefined || CONTROLS.has(first.operation ?? '')) first = CONTROLS.has(reader.operation ?? '') ? first ?? reader : reader
    const control = controlOf(reader) ?? savepointOf(reader, dialect)
    if (control === undefined) isBegun ||= !CONTROLS.has(reader.operation ?? '')
    else {
      // What came before it in the text began a transaction, if none was open (PostgreSQL, "Multiple Statements in a Simple Query").
      if (dialect === 'postgresql' && control !== 'begin' && isBegun && controls.at(-1) !== 'begin') controls.push('begin')
      controls.push(control)
      isChained = typeof control === 'string' && isChaining(reader)
      if (isChained) controls.push('begin')
      isBegun = false
    }
  }
  const transaction = controls.pop()
  return { operation: first?.operation ?? OTHER, table: toLabel(first?.table), transaction, ...(controls.length > 0 && { earlier: controls }), ...(isChained && { isChained }) }
}

function controlOf ({ operation, controls, isBlock }: StatementReader): TransactionControl | undefined {
  // Of a prepared transaction, which the connection has left behind; of a part of one.
  if (isBlock || controls.has('PREPARED') || controls.has('TO')) return undefined
  if (operation === 'BEGIN' || (operation === 'START' && controls.has('TRANSACTION'))) return 'begin'
  if (operation === 'COMMIT' || operation === 'END') return 'commit'
  return operation === 'ROLLBACK' || operation === 'ABORT' ? 'rollback' : undefined
}

function savepointOf ({ operation, controls, lastName: savepoint }: StatementReader, dialect: SqlDialect): SavepointControl | undefined {
  if (!SYNTAX[dialect].hasOuterSavepoints) return undefined
  if (operation === 'SAVEPOINT') return { does: 'set', savepoint }
  if (operation === 'RELEASE') return { does: 'release', savepoint }
  return operation === 'ROLLBACK' && controls.has('TO') ? { does: 'return', savepoint } : undefined
}

/** Whether the next transaction begins with the end of this one: COMMIT AND CHAIN (SQL:2016, 17.7 and 17.8). */
function isChaining ({ controls }: StatementReader): boolean {
  const words = [...controls]
  const chain = words.indexOf('CHAIN')
  // NO may be that of RELEASE, behind it.
  return chain !== -1 && !words.slice(0, chain).includes('NO')
}

function toLabel (table: string | undefined): string {
  if (table === undefined || table === '' || table.length > LONGEST_TABLE || !table.isWellFormed()) return OTHER
  for (let i = 0; i < table.length; i++) {
    const code = table.charCodeAt(i)
    if (code < 32 || (code >= 127 && code <= LAST_CONTROL)) return OTHER
  }
  return table
}
