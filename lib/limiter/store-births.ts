import { storeClasses } from './store-classes.ts'
import type { Store, StoreKind } from './stores.ts'

/** The first property that the constructors of both classes set. */
const FIRST_PROPERTY = 'continueExceeding'

/**
 * Runs what makes stores and says which it made. A limiter shows its store to nobody, but while it makes one, a setter
 * on the prototype sees it. All of that happens within `run`, which must not wait.
 */
export function seeStoresMade<T> (run: () => T, onMade: (store: Store, kind: StoreKind) => void): T {
  for (const [prototype, kind] of storeClasses()) {
    Object.defineProperty(prototype, FIRST_PROPERTY, {
      configurable: true,
      get: () => undefined,
      set (value: unknown) {
        Object.defineProperty(this, FIRST_PROPERTY, { value, configurable: true, enumerable: true, writable: true })
        onMade(this as Store, kind)
      }
    })
  }
  try {
    return run()
  } finally {
    for (const [prototype] of storeClasses()) delete (prototype as { [FIRST_PROPERTY]?: unknown })[FIRST_PROPERTY]
  }
}
