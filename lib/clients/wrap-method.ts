type Method = (this: unknown, ...args: unknown[]) => unknown

/** What runs in the place of a method: calls `original` with what it was called with, and may look at what comes of it. */
export type Observer = (receiver: object, original: Method, args: unknown[]) => unknown

/** What was in the place of a wrapper of ours that is over, which somebody else's wrapper may still hold. */
const covered = new WeakMap<object, PropertyDescriptor | undefined>()

/**
 * Puts an observer in the place of a method, which keeps its name and its length; returns how to put back what was there.
 * Where somebody else has wrapped the method since, it stays in the chain and does nothing.
 */
export function wrapMethod (target: object, name: string, observe: Observer): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name)
  const original = Reflect.get(target, name) as Method
  let isOn = true
  function wrapped (this: object, ...args: unknown[]): unknown {
    return isOn ? observe(this, original, args) : Reflect.apply(original, this, args)
  }
  Object.defineProperty(wrapped, 'name', { value: original.name, configurable: true })
  Object.defineProperty(wrapped, 'length', { value: original.length, configurable: true })
  Object.defineProperty(target, name, { value: wrapped, configurable: true, writable: true, enumerable: own?.enumerable ?? false })
  return () => {
    isOn = false
    covered.set(wrapped, own)
    if (Object.getOwnPropertyDescriptor(target, name)?.value !== wrapped) return
    const before = underneath(own)
    if (before === undefined) Reflect.deleteProperty(target, name)
    else Object.defineProperty(target, name, before)
  }
}

/** Past wrappers of ours that were restored while this one lay over them. */
function underneath (own: PropertyDescriptor | undefined): PropertyDescriptor | undefined {
  return own !== undefined && covered.has(own.value as object) ? underneath(covered.get(own.value as object)) : own
}
