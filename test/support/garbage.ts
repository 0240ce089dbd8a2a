import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { eventually, turn } from './gate.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Whether an object that nothing should hold any more goes. */
export async function isCollected (ref: WeakRef<object>): Promise<boolean> {
  const isGone = await eventually(async () => {
    // A reference that was looked through holds the object until the task is over.
    await turn()
    collectGarbage()
    return ref.deref() === undefined
  })
  // What was to be told of its end has been.
  await turn()
  return isGone
}
