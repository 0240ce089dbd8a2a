import { setImmediate as turn } from 'node:timers/promises'

/** A promise that is opened by hand. */
export interface Gate<T = void> {
  promise: Promise<T>
  open: (value: T) => void
}

export function gate<T = void> (): Gate<T> {
  let open!: (value: T) => void
  const promise = new Promise<T>(resolve => { open = resolve })
  return { promise, open }
}

/** Lets the event loop go round until `holds`, or gives up; says whether it held. */
export async function eventually (holds: () => boolean | Promise<boolean>, turns = 20_000): Promise<boolean> {
  for (let i = 0; i < turns; i++) {
    if (await holds()) return true
    await turn()
  }
  return false
}

export { turn }
