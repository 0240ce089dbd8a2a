import type { Test } from 'tap'
import type { RedisServer } from '../../../support/redis-server.ts'
import { startRedis } from '../../../support/redis-server.ts'

/** Slots of a cluster. */
const SLOTS = 16_384

/** Three real nodes without replicas. */
export class RedisCluster {
  readonly ports: readonly number[]
  readonly #nodes: readonly RedisServer[]

  constructor (nodes: readonly RedisServer[]) {
    this.#nodes = nodes
    this.ports = nodes.map(({ port }) => port)
  }

  /** Gives each node a third of the slots and introduces them to each other; resolves once all of them know it. */
  async form (): Promise<void> {
    const share = Math.ceil(SLOTS / this.#nodes.length)
    for (const [i, node] of this.#nodes.entries()) {
      await node.run(`CLUSTER ADDSLOTSRANGE ${i * share} ${Math.min((i + 1) * share, SLOTS) - 1}`)
      await node.run(`CLUSTER SET-CONFIG-EPOCH ${i + 1}`)
    }
    for (const { port } of this.#nodes.slice(1)) await this.#nodes[0]!.run(`CLUSTER MEET 127.0.0.1 ${port}`)
    for (const node of this.#nodes) await this.#knowsAll(node)
  }

  /** Moves the slot of these keys, with the keys, from its node to the next, and tells all nodes. */
  async move (...keys: readonly string[]): Promise<void> {
    const end = await this.beginToMove(...keys)
    await end()
  }

  /** Moves the keys, but not their slot yet; what comes back does that. */
  async beginToMove (...keys: readonly string[]): Promise<() => Promise<void>> {
    const slot = await this.slotOf(keys[0]!)
    const at = await this.#ownerOf(slot)
    const owner = this.#nodes[at]!
    const target = this.#nodes[(at + 1) % this.#nodes.length]!
    const targetId = await idOf(target)
    await target.run(`CLUSTER SETSLOT ${slot} IMPORTING ${await idOf(owner)}`)
    await owner.run(`CLUSTER SETSLOT ${slot} MIGRATING ${targetId}`)
    for (const key of keys) await owner.run(`MIGRATE 127.0.0.1 ${target.port} ${key} 0 5000 REPLACE`)
    return async () => {
      for (const node of [target, ...this.#nodes.filter(node => node !== target)]) await node.run(`CLUSTER SETSLOT ${slot} NODE ${targetId}`)
    }
  }

  async slotOf (key: string): Promise<number> {
    return Number.parseInt((await this.#nodes[0]!.run(`CLUSTER KEYSLOT ${key}`)).slice(1))
  }

  /** Resolves once no node is left. */
  async kill (): Promise<void> {
    await Promise.all(this.#nodes.map(node => node.kill()))
  }

  async #ownerOf (slot: number): Promise<number> {
    for (const [i, node] of this.#nodes.entries()) {
      const own = (await node.run('CLUSTER NODES')).split('\n').find(line => line.includes('myself'))!
      if (own.trim().split(' ').slice(8).some(range => covers(range, slot))) return i
    }
    throw new Error(`Nobody has the slot ${slot}`)
  }

  async #knowsAll (node: RedisServer): Promise<void> {
    const isWhole = async (): Promise<boolean> => {
      const info = await node.run('CLUSTER INFO')
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${this.#nodes.length}`) && info.includes(`cluster_size:${this.#nodes.length}`)
    }
    while (!await isWhole());
  }
}

export async function startCluster (t: Test): Promise<RedisCluster> {
  const options = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000']
  const cluster = new RedisCluster(await Promise.all([0, 1, 2].map(() => startRedis(t, options))))
  await cluster.form()
  return cluster
}

async function idOf (node: RedisServer): Promise<string> {
  return (await node.run('CLUSTER MYID')).split('\r\n')[1]!
}

function covers (range: string, slot: number): boolean {
  const [from, to = from] = range.split('-').map(Number)
  return from! <= slot && slot <= to!
}
