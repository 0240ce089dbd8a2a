/** What observes one connection. */
interface Observation {
  detach (): void
}

/** Marks a connection with what observes it, which is asked at each checkout: a WeakSet would be searched. */
const kObserved = Symbol('observed')

interface Connection {
  [kObserved]?: WeakSet<object>
}

/** The connections of a pool, each observed from the first time that it is seen, unless it is observed already. */
export class PoolConnections {
  readonly #observed: WeakSet<object>
  readonly #attach: (connection: object) => Observation
  readonly #attached = new WeakMap<object, Observation>()

  /** `observed`: what the same store observes already. */
  constructor (observed: WeakSet<object>, attach: (connection: object) => Observation) {
    this.#observed = observed
    this.#attach = attach
  }

  see (connection: object): void {
    if ((connection as Connection)[kObserved] !== this.#observed && !this.#observed.has(connection)) this.#add(connection)
  }

  /** Leaves those of the connections that are observed by this as they were. */
  leave (connections: readonly object[]): void {
    for (const connection of connections) {
      const observation = this.#attached.get(connection)
      if (observation === undefined) continue
      observation.detach()
      this.#attached.delete(connection)
      this.#observed.delete(connection)
      if ((connection as Connection)[kObserved] === this.#observed) Reflect.deleteProperty(connection, kObserved)
    }
  }

  #add (connection: object): void {
    this.#observed.add(connection)
    this.#attached.set(connection, this.#attach(connection))
    // One that several stores observe keeps the mark of the first.
    if ((connection as Connection)[kObserved] === undefined) Object.defineProperty(connection, kObserved, { value: this.#observed, configurable: true })
  }
}
