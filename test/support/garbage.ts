import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Whether an object that nothing should hold any more goes. */
export async function isCollected (ref: WeakRef<object>): Promise<boolean> {
  for (let round = 0; round < 20; round++) {
    // A reference that was looked through holds the object until the task is over.
    await setImmediate()
    collectGarbage()
    if (ref.deref() !== undefined) continue
    // What was to be told of its end has been.
    await setImmediate()
    return true
  }
  return false
}
