import { attachBehind } from '../behind.ts'
import type { Attachment, ClientAdapter, ClientContext } from '../client-adapter.ts'
import type { NodeRedisClient } from './node-redis-connection.ts'
import { NodeRedisConnection } from './node-redis-connection.ts'
import type { NodeRedisCluster, NodeRedisPool, NodeRedisSentinel } from './node-redis-group.ts'
import { NodeRedisGroup } from './node-redis-group.ts'
import { RedisOperations } from './redis-operation.ts'

/** What the library gives an application: `_self` is what stands behind it. */
interface Proxy {
  readonly _self: object
}

/** The groups of pools, clusters and sentinels that are observed, for their state. */
const groups = new WeakMap<object, NodeRedisGroup>()

/**
 * node-redis: a client, a pool, a cluster or a sentinel. Its diagnostics channels do not tell which of them a connection belongs to, nor the
 * commands of a transaction, and write all arguments out; so its few funnels are wrapped.
 */
export const nodeRedis: ClientAdapter = {
  title: 'redis (createClient, createClientPool, createCluster, createSentinel)',
  recognises: client => isClient(client) || isPool(client) || isCluster(client) || isSentinel(client),
  attach (client, context) {
    const { _self: self } = client as Proxy
    return attachBehind(client, self, context, () => isClient(self) ? attachClient(self as NodeRedisClient, context) : attachGroup(self, context))
  }
}

function has (client: object, ...methods: readonly string[]): boolean {
  return typeof (client as Proxy)._self === 'object' && methods.every(method => typeof Reflect.get(client, method) === 'function')
}

function isClient (client: object): boolean {
  return has(client, 'sendCommand', '_executeScript', '_executeMulti', '_executePipeline', '_getQueue')
}

function isPool (client: object): boolean {
  return has(client, 'sendCommand', 'execute') && 'totalClients' in client
}

function isCluster (client: object): boolean {
  return has(client, 'sendCommand', '_execute', 'nodeClient') && '_slots' in client
}

function isSentinel (client: object): boolean {
  return has(client, 'sendCommand', '_execute', 'acquire', 'use', 'getMasterNode')
}

function attachClient (client: NodeRedisClient, context: ClientContext): Attachment {
  const connection = new NodeRedisConnection(client, new RedisOperations(context.cache()))
  const unwatch = context.watchConnection(client, isClientUp)
  return {
    detach () {
      unwatch()
      connection.detach()
    }
  }
}

function attachGroup (client: object, context: ClientContext): Attachment {
  const group = new NodeRedisGroup(new RedisOperations(context.cache()), context.observed)
  if (isPool(client)) group.observePool(client as NodeRedisPool)
  else if (isCluster(client)) group.observeCluster(client as NodeRedisCluster)
  else group.observeSentinel(client as NodeRedisSentinel)
  groups.set(client, group)
  const unwatch = context.watchConnection(client as NodeRedisPool, isGroupUp)
  return {
    detach () {
      unwatch()
      group.detach()
    }
  }
}

function isClientUp ({ isReady }: NodeRedisClient): boolean {
  return isReady
}

/** Connections are known once they are used. */
function isGroupUp (client: NodeRedisPool): boolean {
  return client.isOpen && groups.get(client)?.isReady !== false && (!isSentinel(client) || (client as NodeRedisSentinel).isReady)
}
