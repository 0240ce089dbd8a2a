import type { Registry } from '../series/registry.ts'
import type { Pusher } from './pusher.ts'

interface Shared {
  readonly pusher: Promise<Pusher>
  users: number
}

const sharedPushers = new WeakMap<Registry, Shared>()

/** One pusher for a store, however many applications share it: the first starts it, the last to close ends it. */
export async function sharePusher (registry: Registry, start: () => Promise<Pusher>): Promise<Pusher> {
  let shared = sharedPushers.get(registry)
  if (shared === undefined) sharedPushers.set(registry, shared = { pusher: start(), users: 0 })
  const { pusher } = shared
  shared.users++
  const { flush, close } = await pusher.catch((error: unknown) => {
    sharedPushers.delete(registry)
    throw error
  })
  return {
    flush,
    close: async () => {
      if (--shared.users > 0) return await flush()
      sharedPushers.delete(registry)
      await close()
    }
  }
}
