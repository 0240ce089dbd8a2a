import { undoable } from './all-or-nothing.ts'

type Method = (this: unknown, ...args: unknown[]) => unknown

/** What runs in the place of a method: calls `original` with what it was called with, and may look at what comes of it. */
export type Observer = (receiver: object, original: Method, args: unknown[]) => unknown

/** Whether what was put in the place of a method is still wanted there: others may have wrapped it since, and call it on. */
export interface Replacement {
  isOn: boolean
}

/** What was in the place of a wrapper of ours that is over, which somebody else's wrapper may still hold. */
const covered = new WeakMap<object, PropertyDescriptor | undefined>()

/** Puts an observer in the place of a method; see {@link replaceMethod}. Where it is no longer wanted, it stays out of the way. */
export function wrapMethod (target: object, name: string, observe: Observer): () => void {
  return replaceMethod(target, name, (original, replacement) => function (...args) {
    return replacement.isOn ? observe(this as object, original, args) : Reflect.apply(original, this, args)
  })
}

/**
 * Puts a function in the place of a method, under its name and length; returns how to put back what was there. For hot paths: a
 * function that hands on its own rest parameter costs no list. Where it is no longer wanted, it must only call the original.
 */
export function replaceMethod (target: object, name: string, create: (original: Method, replacement: Replacement) => Method): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name)
  const original = Reflect.get(target, name) as Method
  const replacement = { isOn: true }
  const replacing = create(original, replacement)
  Object.defineProperty(replacing, 'name', { value: original.name, configurable: true })
  Object.defineProperty(replacing, 'length', { value: original.length, configurable: true })
  Object.defineProperty(target, name, { value: replacing, configurable: true, writable: true, enumerable: own?.enumerable ?? false })
  return undoable(() => {
    replacement.isOn = false
    covered.set(replacing, own)
    if (Object.getOwnPropertyDescriptor(target, name)?.value !== replacing) return
    const before = underneath(own)
    // In an object that has been frozen since, it stays and does nothing.
    if (before === undefined) Reflect.deleteProperty(target, name)
    else Reflect.defineProperty(target, name, before)
  })
}

/** Past wrappers of ours that were restored while this one lay over them. */
function underneath (own: PropertyDescriptor | undefined): PropertyDescriptor | undefined {
  return own !== undefined && covered.has(own.value as object) ? underneath(covered.get(own.value as object)) : own
}
