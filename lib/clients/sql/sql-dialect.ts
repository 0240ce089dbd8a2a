/** Whose SQL it is; `ansi` for all others. */
export type SqlDialect = 'postgresql' | 'mysql' | 'sqlite' | 'ansi'

/** In what the dialects differ, as far as a statement's operation and table depend on it. */
export interface SqlSyntax {
  /** What opens a quoted identifier. */
  readonly identifierQuotes: string
  /** Where a backslash escapes: in all literals, in `E''`, nowhere. */
  readonly backslash: 'always' | 'prefixed' | 'never'
  readonly hasNestedComments: boolean
  /** `$tag$ … $tag$` is a literal. */
  readonly hasDollarQuotes: boolean
  /** `#` begins a comment, and `--` only before a space; what begins with `/*!` is carried out. */
  readonly hasHashComments: boolean
  /** Which identifiers are told in lower case. */
  readonly folds: 'unquoted' | 'all' | 'none'
  /** A common table expression can name itself without RECURSIVE. */
  readonly isRecursive: boolean
  /** First words that a table follows at once, or behind options; in other dialects it takes a word more, or cannot be told. */
  readonly bareTargets: ReadonlySet<string>
  /** A savepoint outside of a transaction begins one. */
  readonly hasOuterSavepoints: boolean
  /** First words that explain a statement, or describe a table. */
  readonly descriptions: ReadonlySet<string>
}

const ANSI: SqlSyntax = {
  identifierQuotes: '"`[',
  backslash: 'never',
  hasNestedComments: false,
  hasDollarQuotes: false,
  hasHashComments: false,
  folds: 'unquoted',
  isRecursive: false,
  bareTargets: new Set(),
  hasOuterSavepoints: false,
  descriptions: new Set()
}

/** MySQL with its default `sql_mode`, in which `"` quotes a literal. */
export const SYNTAX: Readonly<Record<SqlDialect, SqlSyntax>> = {
  ansi: ANSI,
  postgresql: {
    ...ANSI,
    identifierQuotes: '"',
    backslash: 'prefixed',
    hasNestedComments: true,
    hasDollarQuotes: true,
    bareTargets: new Set(['LOCK', 'ANALYZE', 'VACUUM', 'CLUSTER'])
  },
  mysql: { ...ANSI, identifierQuotes: '`', backslash: 'always', hasHashComments: true, folds: 'none', descriptions: new Set(['EXPLAIN', 'DESCRIBE', 'DESC']) },
  sqlite: { ...ANSI, folds: 'all', isRecursive: true, hasOuterSavepoints: true }
}
