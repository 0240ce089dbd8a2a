import { performance } from 'node:perf_hooks'
import type { RedisOperations } from './redis-operation.ts'
import { wrapMethod } from '../wrap-method.ts'

/** Commands that are no `sendCommand()` but methods of their own, most under two names. */
type Methods = readonly (readonly [command: string, method: string])[]

/** Of a client, a cluster and a sentinel. */
export const SUBSCRIPTIONS: Methods = [
  ['SUBSCRIBE', 'subscribe'], ['UNSUBSCRIBE', 'unsubscribe'], ['PSUBSCRIBE', 'pSubscribe'], ['PUNSUBSCRIBE', 'pUnsubscribe'],
  ['SSUBSCRIBE', 'sSubscribe'], ['SUNSUBSCRIBE', 'sUnsubscribe']
]

/** Of a client alone. */
export const OF_CONNECTIONS: Methods = [['MONITOR', 'monitor'], ['QUIT', 'quit'], ['RESET', 'reset']]

/** Observes such commands; returns how to put back what was there. */
export function observeMethods (client: object, methods: Methods, operations: RedisOperations): (() => void)[] {
  return methods.flatMap(([command, method]) => [command, method].filter(name => name in client).map(name => {
    return wrapMethod(client, name, (receiver, original, args) => {
      const operation = operations.of(command)
      const startedMs = performance.now()
      return (Reflect.apply(original, receiver, args) as Promise<unknown>).then(value => {
        operation.replied(startedMs, value)
        return value
      }, error => {
        operation.failed(startedMs)
        throw error
      })
    })
  }))
}
