import { undoable } from './all-or-nothing.ts'
import type { Attachment, ClientContext } from './client-adapter.ts'

/** What was instrumented, by what stands behind it: as long as that is used, it must be there to be left as it was. */
const fronts = new WeakMap<object, Set<object>>()

/**
 * Attaches to what stands behind a client, such as the pool of a wrapper, which counts as observed for as long. Does nothing where it
 * is observed already.
 */
export function attachBehind (client: object, core: object, { observed }: ClientContext, attach: () => Attachment): Attachment {
  if (core === client) return attach()
  if (observed.has(core)) return { detach () {} }
  observed.add(core)
  const front = { client }
  const kept = fronts.get(core) ?? new Set()
  fronts.set(core, kept.add(front))
  const forget = undoable(() => {
    observed.delete(core)
    kept.delete(front)
  })
  const { detach } = attach()
  return {
    detach () {
      detach()
      forget()
    }
  }
}
