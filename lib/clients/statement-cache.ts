export class StatementCache<T> {
  readonly #map = new Map<string, T>()
  get (sql: string): T | undefined { return this.#map.get(sql) }
  set (sql: string, value: T): void { this.#map.set(sql, value) }
}
