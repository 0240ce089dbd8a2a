import { finished } from 'node:stream'
import type { FastifyReply } from 'fastify'

/** What follows a hook. */
export interface AfterHook {
  readonly settled: () => void
  readonly threw: (error: unknown) => void
  /** The request was answered without an end of the hook, or the hook had ended before it was asked. */
  readonly unsettled: () => void
}

type Callback = (this: unknown, ...args: unknown[]) => unknown

/** Sees a hook end: by the promise that it returns, else by the callback that is its last argument. */
export class HookEnding {
  /** The hook's arguments behind request and reply, its callback one that tells. */
  readonly rest: readonly unknown[]
  #isOver = false
  #after: AfterHook | undefined

  constructor (rest: readonly unknown[]) {
    this.rest = [...rest.slice(0, -1), this.#telling(rest.at(-1) as Callback)]
  }

  /** Calls what follows, once, before anything else learns that the hook has ended. */
  follow (outcome: unknown, reply: FastifyReply, after: AfterHook): void {
    if (outcome instanceof Promise) {
      outcome.then(after.settled, after.threw)
      return
    }
    if (this.#isOver) return after.unsettled()
    this.#after = after
    if (!reply.raw.writableEnded) finished(reply.raw, () => this.#over()?.unsettled())
  }

  #telling (done: Callback): Callback {
    const over = (): AfterHook | undefined => this.#over()
    return function (...args) {
      const after = over()
      const [error] = args
      if (error) after?.threw(error)
      else after?.settled()
      return done.apply(this, args)
    }
  }

  #over (): AfterHook | undefined {
    const after = this.#isOver ? undefined : this.#after
    this.#isOver = true
    return after
  }
}
