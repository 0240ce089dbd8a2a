import type { ClientAdapter } from '../client-adapter.ts'
import type { IoredisClient } from './ioredis-connection.ts'
import { IoredisConnection } from './ioredis-connection.ts'
import { RedisOperations } from './redis-operation.ts'

/** ioredis: a Redis or a Cluster. The library's diagnostics channels name the server but not the client, so its one funnel is wrapped. */
export const ioredis: ClientAdapter = {
  title: 'ioredis (Redis, Cluster)',
  recognises (client) {
    const { sendCommand, defineCommand, getBuiltinCommands, status } = client as Readonly<Record<string, unknown>>
    return [sendCommand, defineCommand, getBuiltinCommands].every(method => typeof method === 'function') && typeof status === 'string'
  },
  attach (client, context) {
    const connection = new IoredisConnection(client as IoredisClient, new RedisOperations(context.cache()))
    const unwatch = context.watchConnection(client as IoredisClient, isUp)
    return {
      detach () {
        unwatch()
        connection.detach()
      }
    }
  }
}

/** One that connects at its first command has not been asked yet. */
function isUp ({ status }: IoredisClient): boolean | undefined {
  return status === 'wait' ? undefined : status === 'ready' || status === 'monitoring'
}
