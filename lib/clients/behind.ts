import { undoable } from './all-or-nothing.ts'
import type { Attachment, ClientContext } from './client-adapter.ts'

/**
 * Attaches to what stands behind a client, such as the pool of a wrapper, which counts as observed for as long. Does nothing where it
 * is observed already.
 */
export function attachBehind (client: object, core: object, { observed }: ClientContext, attach: () => Attachment): Attachment {
  if (core === client) return attach()
  if (observed.has(core)) return { detach () {} }
  observed.add(core)
  const forget = undoable(() => observed.delete(core))
  const { detach } = attach()
  return {
    detach () {
      detach()
      forget()
    }
  }
}
