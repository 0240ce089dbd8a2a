import { SYNTAX } from './sql-dialect.ts'
import type { SqlDialect, SqlSyntax } from './sql-dialect.ts'
import { AFTER_SOURCES, BEFORE_BARE_TARGET, BEFORE_COPIED, BEFORE_DESCRIBED, BEFORE_KIND, BEFORE_OBJECT, BEFORE_SOURCE, BEFORE_TARGET, BEHIND_INTO, CONTROLS, KINDS_ON_TABLES, NO_TABLES, OPERATIONS, ROUTINES, STATEMENTS, TABLES } from './sql-operations.ts'
import type { SqlTokens, TokenKind } from './sql-tokens.ts'

// What is known of a level of parentheses.
const START = 1
/** A FROM in it is a clause. */
const QUERY = 2
/** Behind a FROM, where commas separate tables. */
const SOURCES = 4
/** Between a WITH and its main statement: common table expressions. */
const EXPRESSIONS = 8
const EXPRESSION_NAME = 16
const EXPRESSION_BODY = 32
const RECURSIVE = 64

/** Reads one statement up to its semicolon; of what stands behind its table only where it ends. */
export class StatementReader {
  /** Its first word, where that is a known one; behind WITH, that of the main statement. */
  operation: string | undefined
  /** The words of a statement that controls a transaction. */
  readonly controls = new Set<string>()
  /** The last name in such a statement: that of a savepoint, where it is of one. */
  lastName = ''
  /** Whether there was anything. */
  isEmpty = true
  /** Whether it holds statements of its own, up to the end of the text: a routine. */
  isBlock = false
  readonly #tokens: SqlTokens
  readonly #syntax: SqlSyntax
  #table: string | undefined
  #earlierTable: string | undefined
  /** Whether the main clause is reached: tables before it stand in common table expressions, or in what a SELECT selects. */
  #isMain = false
  /** Where a table is due: the words that may come before it. */
  #due: ReadonlySet<string> | undefined
  #sought: 'kind' | 'on' | 'table' | 'statement' | undefined
  #isBegun = false
  #isControl = false
  #isRoutine = false
  /** The level of the main statement. */
  #base = 0
  #depth = 0
  readonly #levels = [START]
  readonly #expressions = new Set<string>()
  /** By level, the name of the common table expression that is being defined. */
  readonly #defined: string[] = []

  constructor (tokens: SqlTokens, dialect: SqlDialect) {
    this.#tokens = tokens
    this.#syntax = SYNTAX[dialect]
  }

  /** The first table of its main clause, else the first of all; empty where its name is cut off. */
  get table (): string | undefined {
    return this.#table ?? this.#earlierTable
  }

  /** Returns whether there is more behind it. */
  read (): boolean {
    let previous = ''
    let kind = this.#tokens.next()
    while (kind !== ';' && kind !== 'end') {
      this.isEmpty = false
      const isDone = this.#isControl || this.#table !== undefined
      const isSkipped = isDone && !this.#isControl && !this.#isRoutine
      if (isSkipped && this.#tokens.isLast) return false
      const word = isSkipped ? '' : this.#tokens.word
      this.isBlock = (this.#isControl && word === 'ATOMIC') || (this.#isRoutine && word === 'BEGIN')
      if (this.isBlock) return false
      if (this.#isControl) this.#takeControl(kind, word)
      kind = isDone ? this.#tokens.next() : this.#take(kind, word, previous)
      // It compares behind IS and NOT alone; elsewhere it is that of SELECT, or a column's name.
      previous = word === 'DISTINCT' && previous !== 'IS' && previous !== 'NOT' ? '' : word
    }
    return kind === ';'
  }

  #takeControl (kind: TokenKind, word: string): void {
    this.controls.add(word)
    if (kind === 'word' || kind === 'quoted') this.lastName = this.#tokens.name
  }

  #take (kind: TokenKind, word: string, previous: string): TokenKind {
    const level = this.#levels[this.#depth]!
    if (kind === 'word' || kind === 'quoted') return this.#takeName(level, word, previous)
    if (kind === '(' && this.#due === BEFORE_BARE_TARGET && previous !== 'ONLY') return this.#skipOptions()
    if (kind === '{' && this.#due !== undefined) return this.#skipEscape()
    if (kind === '(') this.#levels[++this.#depth] = this.#due === BEFORE_SOURCE ? START | SOURCES : START
    else if (kind === ')') this.#close()
    else if (kind === ',') this.#separate(level)
    // What follows a dot is a name, whatever it looks like.
    else if (kind === '.') this.#tokens.next()
    else {
      this.#isBegun = true
      this.#levels[this.#depth] = level & ~START
      this.#due = undefined
    }
    return this.#tokens.next()
  }

  /** Up to the parenthesis that closes them. Returns the token behind it. */
  #skipOptions (): TokenKind {
    let kind: TokenKind = '('
    for (let depth = 0; kind !== ';' && kind !== 'end'; kind = this.#tokens.next()) {
      if (kind === '(') depth++
      else if (kind === ')' && --depth === 0) return this.#tokens.next()
    }
    return kind
  }

  /** The word of ODBC's `{OJ a LEFT JOIN b …}`. Returns the token behind it: the table is due there. */
  #skipEscape (): TokenKind {
    const kind = this.#tokens.next()
    return kind === 'word' || kind === 'quoted' ? this.#tokens.next() : kind
  }

  #close (): void {
    this.#due = undefined
    if (this.#depth > 0) this.#depth--
    const level = this.#levels[this.#depth]!
    if ((level & EXPRESSION_BODY) === 0) return
    this.#levels[this.#depth] = level & ~EXPRESSION_BODY
    // Before its end, its name is that of a table.
    this.#expressions.add(this.#defined[this.#depth]!)
  }

  #separate (level: number): void {
    if ((level & EXPRESSIONS) !== 0) this.#levels[this.#depth] = level | EXPRESSION_NAME
    this.#due = (level & SOURCES) !== 0 ? BEFORE_SOURCE : undefined
  }

  #takeName (level: number, word: string, previous: string): TokenKind {
    const due = this.#due
    this.#levels[this.#depth] = level & ~START
    if ((level & EXPRESSION_NAME) !== 0) this.#define(level, word)
    else if (due?.has(word)) this.#due = word === 'INTO' ? BEHIND_INTO : due
    else {
      this.#due = undefined
      if (due !== undefined && !NO_TABLES.has(word) && !(this.#sought === 'statement' && STATEMENTS.has(word))) return this.#takeTable(due === BEFORE_SOURCE)
      if ((level & START) !== 0) this.#start(word)
      else if ((level & EXPRESSIONS) !== 0) this.#leadTo(word)
      else if (this.#sought !== undefined && this.#depth === this.#base) this.#seek(word)
      else this.#takeClause(level, word, previous)
    }
    return this.#tokens.next()
  }

  /** Returns the token behind it. */
  #takeTable (isSource: boolean): TokenKind {
    const tokens = this.#tokens
    let name = tokens.name
    let kind = tokens.next()
    const isQualified = kind === '.'
    while (kind === '.') {
      kind = tokens.next()
      if (kind !== 'word' && kind !== 'quoted') {
        name = ''
        break
      }
      const part = tokens.name
      name = name === '' || part === '' ? '' : `${name}.${part}`
      kind = tokens.next()
    }
    if (this.#sought === 'statement') {
      // An option: FORMAT=…, or what stands before a statement.
      if (kind === 'symbol' || kind === '(' || STATEMENTS.has(tokens.word)) return kind
      this.#isMain = true
    }
    // Of ROWS FROM (…) too.
    const isFunction = isSource && (kind === '(' || tokens.word === 'FROM')
    if (isFunction || (!isQualified && this.#expressions.has(name.toLowerCase()))) return kind
    if (kind === 'end' && tokens.isCut) name = ''
    if (this.#isMain) this.#table = name
    else this.#earlierTable ??= name
    return kind
  }

  /** The first word of a level. */
  #start (word: string): void {
    const parent = this.#levels[this.#depth - 1] ?? 0
    if (!this.#isBegun) {
      this.#isBegun = true
      this.#base = this.#depth
      this.#enter(word)
    } else if (word === 'SELECT' || word === 'WITH' || word === 'VALUES' || ((parent & EXPRESSION_BODY) !== 0 && STATEMENTS.has(word))) this.#enter(word)
  }

  /** The first word of a statement. */
  #enter (word: string): void {
    this.#levels[this.#depth] = word === 'WITH' ? EXPRESSIONS | EXPRESSION_NAME : QUERY
    if (word === 'WITH') return
    const rule = OPERATIONS.get(word)
    if (this.#depth === this.#base && rule !== undefined) {
      this.operation ??= word
      this.#isControl = CONTROLS.has(word)
    }
    if (this.#syntax.bareTargets.has(word)) this.#expect(BEFORE_BARE_TARGET)
    else if (this.#syntax.descriptions.has(word)) {
      this.#sought = 'statement'
      this.#due = BEFORE_DESCRIBED
    } else if (rule === 'target') this.#expect(word === 'COPY' ? BEFORE_COPIED : BEFORE_TARGET)
    else if (rule === 'object') this.#sought = 'kind'
    else if (rule === 'statement' || rule === 'table') this.#sought = rule
    else if (rule === undefined || rule === 'none') this.#levels[this.#depth] = 0
  }

  #define (level: number, word: string): void {
    if (word === 'RECURSIVE') {
      this.#levels[this.#depth] = level | RECURSIVE
      return
    }
    const name = this.#defined[this.#depth] = this.#tokens.name.toLowerCase()
    this.#levels[this.#depth] = level & ~EXPRESSION_NAME
    if (this.#syntax.isRecursive || (level & RECURSIVE) !== 0) this.#expressions.add(name)
  }

  /** From the name of a common table expression to its body, the next one, or the main statement. */
  #leadTo (word: string): void {
    if (word === 'AS') this.#levels[this.#depth]! |= EXPRESSION_BODY
    else if (STATEMENTS.has(word)) this.#enter(word)
  }

  #seek (word: string): void {
    const sought = this.#sought
    if (sought === 'statement') {
      if (!STATEMENTS.has(word)) return
      this.#sought = undefined
      this.#enter(word)
    } else if (sought === 'on') {
      if (word === 'ON') this.#expect(BEHIND_INTO)
    } else if (TABLES.has(word)) this.#expect(BEFORE_OBJECT)
    else if (sought === 'kind' && word !== '' && !BEFORE_KIND.has(word)) {
      this.#sought = KINDS_ON_TABLES.has(word) ? 'on' : undefined
      this.#isRoutine = ROUTINES.has(word)
    }
  }

  #takeClause (level: number, word: string, previous: string): void {
    // IS DISTINCT FROM compares.
    if (word === 'FROM' && (level & QUERY) !== 0 && previous !== 'DISTINCT') {
      this.#levels[this.#depth] = level | SOURCES
      this.#expect(BEFORE_SOURCE)
    } else if ((level & SOURCES) !== 0) {
      if (word === 'JOIN' || word === 'STRAIGHT_JOIN') this.#expect(BEFORE_SOURCE)
      else if (AFTER_SOURCES.has(word)) this.#levels[this.#depth] = level & ~SOURCES
    }
  }

  #expect (due: ReadonlySet<string>): void {
    this.#due = due
    this.#sought = undefined
    this.#isMain ||= this.#depth <= this.#base
  }
}
