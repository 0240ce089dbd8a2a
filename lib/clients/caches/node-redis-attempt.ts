/** What came of a command, or of a pipeline, at the node that it was sent to: it counts once it is known that it is not sent again. */
export class NodeRedisAttempt {
  #records: (() => void)[] | undefined = []

  record (count: () => void): void {
    if (this.#records === undefined) count()
    else this.#records.push(count)
  }

  /** It is the last one. One that is not is let go. */
  keep (): void {
    for (const count of this.#records ?? []) count()
    this.#records = undefined
  }
}

/** A command of a cluster or a sentinel, for as long as that sends it from node to node. */
export interface Redirections {
  /** Whether a failure may not be its last word. */
  readonly isOpen: (error: unknown) => boolean
  /** When it was sent first; 0 before that. */
  startedMs: number
  /** What is undecided. */
  attempt: NodeRedisAttempt | undefined
}

/** Where a cluster's or a sentinel's command is from, while it is being handed to a node. */
export interface Routing {
  current: Redirections | undefined
}
