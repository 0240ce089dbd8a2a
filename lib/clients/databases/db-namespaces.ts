/** The names of databases by system and client, where all clients of a name have the same: of several none would be true. */
export class DbNamespaces {
  readonly #known = new Map<string, string | undefined>()

  note (system: string, client: string, namespace: string): void {
    const key = `${system}\n${client}`
    this.#known.set(key, !this.#known.has(key) || this.#known.get(key) === namespace ? namespace : undefined)
  }

  of (system: string, client: string): string | undefined {
    return this.#known.get(`${system}\n${client}`)
  }
}
