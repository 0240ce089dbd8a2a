import { undoable } from '../all-or-nothing.ts'
import type { Attachment, ClientContext } from '../client-adapter.ts'

/** Marks a connection with what observes it, which is asked at each checkout: a WeakSet would be searched. */
const kObserved = Symbol('observed')

interface Connection {
  [kObserved]?: WeakSet<object>
}

/** The connections of a pool, each observed from the first time that it is seen, unless it is observed already. */
export class PoolConnections {
  /** What the same store observes already. */
  readonly #observed: WeakSet<object>
  readonly #attach: (connection: object) => Attachment | undefined
  readonly #attached = new WeakMap<object, Attachment>()

  constructor ({ observed, attachPart }: ClientContext, attach: (connection: object) => Attachment) {
    this.#observed = observed
    this.#attach = connection => attachPart(() => attach(connection))
  }

  see (connection: object): void {
    if ((connection as Connection)[kObserved] !== this.#observed && !this.#observed.has(connection)) this.#add(connection)
  }

  /** Leaves those of the connections that are observed by this as they were. */
  leave (connections: readonly object[]): void {
    for (const connection of connections) {
      const attachment = this.#attached.get(connection)
      if (attachment === undefined) continue
      attachment.detach()
      this.#attached.delete(connection)
      this.#observed.delete(connection)
      if ((connection as Connection)[kObserved] === this.#observed) Reflect.deleteProperty(connection, kObserved)
    }
  }

  #add (connection: object): void {
    this.#observed.add(connection)
    undoable(() => {
      this.leave([connection])
      this.#observed.delete(connection)
    })
    const attachment = this.#attach(connection)
    if (attachment === undefined) return
    this.#attached.set(connection, attachment)
    // One that several stores observe keeps the mark of the first.
    if ((connection as Connection)[kObserved] === undefined) Object.defineProperty(connection, kObserved, { value: this.#observed, configurable: true })
  }
}
