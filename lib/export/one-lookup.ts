import dns from 'node:dns'
import type { LookupFunction } from 'node:net'

type Callback = Parameters<LookupFunction>[2]

/**
 * Looks names up as Node does, but a name never twice at a time: a look-up can be neither given up nor let go of, and each takes one of
 * the few threads that files and other names need too.
 */
export function createLookup (): LookupFunction {
  const underWay = new Map<string, Callback[]>()
  return (hostname, options, callback) => {
    const key = JSON.stringify([hostname, options])
    const others = underWay.get(key)
    if (others !== undefined) {
      others.push(callback)
      return
    }
    const callbacks = [callback]
    underWay.set(key, callbacks)
    dns.lookup(hostname, options, (...answer) => {
      underWay.delete(key)
      for (const each of callbacks) each(...answer)
    })
  }
}
