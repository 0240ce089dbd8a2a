/** A command of ioredis: it settles through its own two functions, whoever calls them. */
export interface Command {
  readonly name: string
  resolve: (value: unknown) => unknown
  reject: (error: unknown) => unknown
  /** Of each observer by its own symbol: that the command has been seen, or how to see it again. It may come again when the offline queue is sent, after a reconnection and after a redirection. */
  [kObserved: symbol]: true | ((stream: object) => void) | undefined
}

/** What is none is left for the library to refuse. */
export function isCommand (given: unknown): given is Command {
  return typeof (given as Partial<Command> | null | undefined)?.resolve === 'function'
}

export function isMulti ({ name }: Command): boolean {
  return name === 'multi' || name === 'MULTI'
}

/** Whether it ends a transaction. */
export function isEnd ({ name }: Command): boolean {
  return /^(?:exec|discard)$/i.test(name)
}

/** A script that the server has forgotten is sent again in full, as another command. */
export function isSentAgain (command: Command, error: unknown): boolean {
  return command.constructor.name === 'CustomScriptCommand' && String((error as Error).message).startsWith('NOSCRIPT')
}

/** Records how a command settles, once, before whoever waits for it hears of it. */
export function onSettled (command: Command, onReply: (reply: unknown) => void, onError: (error: unknown) => void): void {
  const { resolve, reject } = command
  let isOver = false
  command.resolve = value => {
    const result = resolve(value)
    if (!isOver) onReply(value)
    isOver = true
    return result
  }
  command.reject = error => {
    if (!isOver) onError(error)
    isOver = true
    return reject(error)
  }
}
