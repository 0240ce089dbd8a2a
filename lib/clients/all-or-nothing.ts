/** How to take back what has been done so far, latest last; `undefined` while nobody attaches. */
let undos: (() => void)[] | undefined

/** Notes how to take a step back, should a later one of {@link allOrNothing} fail; returns it. Must not throw. */
export function undoable (undo: () => void): () => void {
  undos?.push(undo)
  return undo
}

/** Runs what attaches to objects of others, step by step and without waiting. Where one fails, those before it are taken back. */
export function allOrNothing<T> (attach: () => T): T {
  const own: (() => void)[] = undos = []
  let isDone = false
  try {
    const result = attach()
    isDone = true
    return result
  } finally {
    undos = undefined
    if (!isDone) for (const undo of own.toReversed()) undo()
  }
}

/** Whether something attaches that is to be done wholly or not at all. */
export function isAttaching (): boolean {
  return undos !== undefined
}
