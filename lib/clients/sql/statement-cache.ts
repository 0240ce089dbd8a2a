/** Longer ones are read anew each time: they are few, or have their values in them. */
const LONGEST_STATEMENT = 2_000
const YOUNG = 500

/**
 * What is known of statements, by their text. Holds at most 1,000 entries: the young ones and, until they are asked for
 * again, those that were young before. Statements that never come twice push out each other, not those that do.
 */
export class StatementCache<T> {
  #young = new Map<string, T>()
  #old = new Map<string, T>()

  /** The hot path: one look for a statement in use. */
  get (sql: string): T | undefined {
    if (sql.length > LONGEST_STATEMENT) return undefined
    const known = this.#young.get(sql)
    return known === undefined && this.#old.size > 0 ? this.#revive(sql) : known
  }

  set (sql: string, value: T): void {
    if (sql.length > LONGEST_STATEMENT) return
    if (this.#young.size >= YOUNG) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(sql, value)
  }

  #revive (sql: string): T | undefined {
    const known = this.#old.get(sql)
    if (known !== undefined) this.set(sql, known)
    return known
  }
}
