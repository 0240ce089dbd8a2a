export type SqlDialect = 'postgresql' | 'mysql' | 'sqlite' | 'ansi'
export interface Statement { readonly operation: string, readonly table: string, readonly transaction: 'begin' | 'commit' | 'rollback' | undefined }
export function parseStatement (sql: string, _dialect: SqlDialect): Statement {
  const operation = /^\s*(\w+)/.exec(sql)?.[1]?.toUpperCase() ?? 'other'
  const table = /(?:from|into|update|table)\s+([\w.]+)/i.exec(sql)?.[1] ?? 'other'
  const transaction = operation === 'BEGIN' ? 'begin' : operation === 'COMMIT' ? 'commit' : operation === 'ROLLBACK' ? 'rollback' : undefined
  return { operation, table, transaction }
}
