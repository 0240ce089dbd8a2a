/** How to take back what has been done so far, latest last; `undefined` while nobody attaches. */
let undos: (() => void)[] | undefined

/** Notes how to take a step back, should a later one of {@link allOrNothing} fail; returns it. Must not throw. */
export function undoable (undo: () => void): () => void {
  undos?.push(undo)
  return undo
}

/** Runs what attaches to objects of others, step by step. Where one fails, those before it are taken back. */
export function allOrNothing<T> (attach: () => T): T {
  const outer = undos
  const own: (() => void)[] = undos = []
  try {
    const result = attach()
    outer?.push(...own)
    return result
  } catch (error) {
    for (const undo of own.toReversed()) undo()
    throw error
  } finally {
    undos = outer
  }
}

/** Whether something attaches that is to be done wholly or not at all. */
export function isAttaching (): boolean {
  return undos !== undefined
}
