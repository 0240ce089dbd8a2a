import { SYNTAX } from './sql-dialect.ts'
import type { SqlDialect, SqlSyntax } from './sql-dialect.ts'

/** `value`: a literal, a number, a parameter, a cast. */
export type TokenKind = 'word' | 'quoted' | 'value' | '(' | ')' | '{' | ',' | '.' | ';' | 'symbol' | 'end'

/** Tables come early: what is behind this many characters is not read. */
const MOST_CHARACTERS = 16_384
/** The longest keyword has 13 characters. */
const LONGEST_WORD = 20

const SPACE = 1
const DIGIT = 2
const LETTER = 4
const PARAMETER = 8
const BYTE_ORDER_MARK = 0xfeff
const CLASSES = new Uint8Array(128)
for (const code of [9, 10, 11, 12, 13, 32]) CLASSES[code] = SPACE
for (let code = 48; code <= 57; code++) CLASSES[code] = DIGIT
for (let code = 65; code <= 90; code++) CLASSES[code] = CLASSES[code + 32] = LETTER
CLASSES[95] = LETTER
for (const sign of '@:?') CLASSES[sign.charCodeAt(0)] = PARAMETER

const [QUOTE, DOUBLE_QUOTE, BACKSLASH, DOLLAR, DOT, HYPHEN, SLASH, STAR, HASH, NEWLINE, SEMICOLON, AMPERSAND, EXCLAMATION, M, E, U] = [...'\'"\\$.-/*#\n;&!Meu'].map(sign => sign.charCodeAt(0)) as
  [number, number, number, number, number, number, number, number, number, number, number, number, number, number, number, number]
const CLOSERS: Readonly<Record<string, string>> = { '"': '"', '`': '`', '[': ']' }
const PUNCTUATION: ReadonlyMap<number, TokenKind> = new Map((['(', ')', '{', ',', '.', ';'] as const).map(sign => [sign.charCodeAt(0), sign]))

/** Reads an SQL text token by token, each character at most four times, by `charCodeAt`, `slice` and `lastIndexOf` alone. */
export class SqlTokens {
  kind: TokenKind = 'symbol'
  /** Where there is more than is read. */
  readonly isCut: boolean
  readonly #sql: string
  readonly #syntax: SqlSyntax
  readonly #limit: number
  readonly #quotes: ReadonlyMap<number, string>
  #start = 0
  #at = 0
  #lastSeparator: number | undefined
  /** Within what looks like a comment and is carried out. */
  #isCarriedOut = false

  constructor (sql: string, dialect: SqlDialect) {
    this.#sql = sql
    this.#syntax = SYNTAX[dialect]
    this.#limit = Math.min(sql.length, MOST_CHARACTERS)
    this.isCut = this.#limit < sql.length
    this.#quotes = QUOTES[dialect]
    if (sql.charCodeAt(0) === BYTE_ORDER_MARK) this.#at = 1
  }

  /** The keyword in upper case, if the token can be one. */
  get word (): string {
    return this.kind === 'word' && this.#at - this.#start <= LONGEST_WORD ? this.#sql.slice(this.#start, this.#at).toUpperCase() : ''
  }

  /** The identifier as the database knows it; empty where that takes decoding. */
  get name (): string {
    const { folds } = this.#syntax
    if (this.kind === 'quoted' && !this.#quotes.has(this.#sql.charCodeAt(this.#start))) return ''
    const isQuoted = this.kind === 'quoted'
    let name = isQuoted ? this.#sql.slice(this.#start + 1, this.#at - 1) : this.#sql.slice(this.#start, this.#at)
    if (isQuoted) {
      const closer = this.#quotes.get(this.#sql.charCodeAt(this.#start))!
      name = name.replaceAll(closer + closer, closer)
    }
    return folds === 'all' || (folds === 'unquoted' && !isQuoted) ? name.replace(/[A-Z]+/g, letters => letters.toLowerCase()) : name
  }

  /** Whether no statement can begin behind the token. */
  get isLast (): boolean {
    return this.#at > (this.#lastSeparator ??= this.#findLastSeparator())
  }

  next (): TokenKind {
    this.kind = this.#read()
    // The rest of it may be behind the limit.
    if (this.isCut && this.#at >= this.#limit) this.kind = 'end'
    return this.kind
  }

  #read (): TokenKind {
    this.#skipBlanks()
    if (this.#at >= this.#limit) return 'end'
    const start = this.#start = this.#at
    const code = this.#code(this.#at++)
    const kind = classOf(code)
    if (kind === LETTER) {
      this.#skip(LETTER | DIGIT, DOLLAR)
      return this.#syntax.backslash === 'prefixed' && this.#at === start + 1 ? this.#readPrefixed(code | 32) : 'word'
    }
    if (kind === DIGIT) return this.#skip(LETTER | DIGIT, DOT)
    if (kind === PARAMETER) return this.#skip(LETTER | DIGIT | PARAMETER)
    if (code === DOLLAR) return this.#readDollar()
    const closer = this.#quotes.get(code)
    if (closer !== undefined) return this.#readQuoted(start + 1, closer.charCodeAt(0), false, 'quoted')
    if (code === QUOTE || code === DOUBLE_QUOTE) return this.#readQuoted(start + 1, code, this.#syntax.backslash === 'always', 'value')
    return PUNCTUATION.get(code) ?? 'symbol'
  }

  /** `E'…'`, with backslashes, or `U&"…"`, with characters by their numbers; else one letter is a word. */
  #readPrefixed (prefix: number): TokenKind {
    const code = this.#code(this.#at)
    if (prefix === E && code === QUOTE) return this.#readQuoted(this.#at + 1, QUOTE, true, 'value')
    const isIdentifier = prefix === U && code === AMPERSAND && this.#code(this.#at + 1) === DOUBLE_QUOTE
    return isIdentifier ? this.#readQuoted(this.#at + 2, DOUBLE_QUOTE, false, 'quoted') : 'word'
  }

  /** Of the semicolons, without those at the end of the text; most texts have no other. */
  #findLastSeparator (): number {
    let end = this.#limit
    while (!this.isCut && end > 0 && (isBlank(this.#sql.charCodeAt(end - 1)))) end--
    return this.#sql.lastIndexOf(';', end - 1)
  }

  /** NaN behind the limit, which is no sign. */
  #code (index: number): number {
    return index < this.#limit ? this.#sql.charCodeAt(index) : NaN
  }

  #skip (classes: number, sign: number = -1): TokenKind {
    for (; this.#at < this.#limit; this.#at++) {
      const code = this.#sql.charCodeAt(this.#at)
      if ((classOf(code) & classes) === 0 && code !== sign) break
    }
    return 'value'
  }

  #skipBlanks (): void {
    for (; this.#at < this.#limit; this.#at++) {
      const code = this.#sql.charCodeAt(this.#at)
      if (classOf(code) === SPACE) continue
      if (code === HYPHEN ? this.#isLineComment() : code === HASH && this.#syntax.hasHashComments) {
        while (this.#at < this.#limit && this.#sql.charCodeAt(this.#at) !== NEWLINE) this.#at++
      } else if (code === SLASH && this.#code(this.#at + 1) === STAR) this.#skipComment()
      else if (code === STAR && this.#isCarriedOut && this.#code(this.#at + 1) === SLASH) {
        this.#isCarriedOut = false
        this.#at++
      } else return
    }
  }

  #isLineComment (): boolean {
    if (this.#code(this.#at + 1) !== HYPHEN) return false
    const behind = this.#code(this.#at + 2)
    return !this.#syntax.hasHashComments || !(behind > 32)
  }

  /** Stops at its last character; of one that is carried out, at the last of the version that it is for. */
  #skipComment (): void {
    const mark = this.#at + (this.#code(this.#at + 2) === M ? 3 : 2)
    if (this.#syntax.hasHashComments && this.#code(mark) === EXCLAMATION) {
      this.#isCarriedOut = true
      this.#at = mark
      while (classOf(this.#code(this.#at + 1)) === DIGIT) this.#at++
      return
    }
    let depth = 1
    for (this.#at += 2; this.#at < this.#limit; this.#at++) {
      const code = this.#sql.charCodeAt(this.#at)
      if (code === STAR && this.#code(this.#at + 1) === SLASH) {
        this.#at++
        if (--depth === 0) return
      } else if (code === SLASH && this.#syntax.hasNestedComments && this.#code(this.#at + 1) === STAR) {
        this.#at++
        depth++
      }
    }
  }

  /** One that nobody closes reaches to the end. */
  #readQuoted (from: number, closer: number, hasEscapes: boolean, kind: TokenKind): TokenKind {
    for (this.#at = from; this.#at < this.#limit; this.#at++) {
      const code = this.#sql.charCodeAt(this.#at)
      if (code === BACKSLASH && hasEscapes) this.#at++
      else if (code === closer && this.#code(++this.#at) !== closer) return kind
    }
    return 'end'
  }

  /** `$1`, `$name`, or `$tag$ … $tag$`, where the tag has no `$`: no character is compared twice. */
  #readDollar (): TokenKind {
    this.#skip(LETTER | DIGIT)
    const isTag = this.#syntax.hasDollarQuotes && this.#code(this.#at) === DOLLAR && classOf(this.#code(this.#start + 1)) !== DIGIT
    if (!isTag) return 'value'
    const length = this.#at - this.#start
    for (this.#at++; this.#at < this.#limit; this.#at++) {
      if (this.#sql.charCodeAt(this.#at) !== DOLLAR) continue
      let same = 1
      while (same < length && this.#code(this.#at + same) === this.#sql.charCodeAt(this.#start + same)) same++
      if (same === length && this.#code(this.#at + same) === DOLLAR) {
        this.#at += same + 1
        return 'value'
      }
    }
    return 'end'
  }
}

function isBlank (code: number): boolean {
  return code === SEMICOLON || classOf(code) === SPACE
}

/** All that is not ASCII can stand in an identifier. */
function classOf (code: number): number {
  return code < 128 ? CLASSES[code]! : LETTER
}

const QUOTES = Object.fromEntries(Object.entries(SYNTAX).map(([dialect, { identifierQuotes }]) => [
  dialect,
  new Map([...identifierQuotes].map(opener => [opener.charCodeAt(0), CLOSERS[opener]!]))
])) as unknown as Readonly<Record<SqlDialect, ReadonlyMap<number, string>>>
