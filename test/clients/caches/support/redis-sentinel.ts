import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort } from '../../../support/free-port.ts'
import { ask, startRedis } from '../../../support/redis-server.ts'
import type { RedisServer } from '../../../support/redis-server.ts'
import { ServerProcess } from '../../../support/server-process.ts'

/** What the sentinel calls the master. */
export const MASTER = 'mymaster'

/** A real master with one replica, and a real sentinel that watches them. */
export class RedisSentinel {
  readonly port: number
  readonly #servers: readonly RedisServer[]

  constructor (port: number, servers: readonly RedisServer[]) {
    this.port = port
    this.#servers = servers
  }

  /** Resolves once the sentinel knows of the replica, and the replica has all that the master has. */
  async isWhole (): Promise<void> {
    while (!(await ask(this.port, `SENTINEL REPLICAS ${MASTER}`)).includes('master-link-status\r\n$2\r\nok'));
  }

  /** Makes the replica the master, and the other one its replica at once; resolves with the new master. */
  async failOver (): Promise<RedisServer> {
    const before = await this.#master()
    await ask(this.port, `SENTINEL FAILOVER ${MASTER}`)
    while (await this.#master() === before);
    const after = await this.#master()
    await ask(before, `REPLICAOF 127.0.0.1 ${after}`)
    return this.#servers.find(({ port }) => port === after)!
  }

  /** What the master answers to a command on a connection of its own. */
  async runAtMaster (command: string): Promise<string> {
    return await ask(await this.#master(), command)
  }

  /** Resolves once a client of the master waits in a blocking command. */
  async isBlocking (): Promise<void> {
    while (!(await this.runAtMaster('INFO clients')).includes('blocked_clients:1'));
  }

  async #master (): Promise<number> {
    const answer = await ask(this.port, `SENTINEL GET-MASTER-ADDR-BY-NAME ${MASTER}`)
    return Number(answer.trim().split('\r\n').at(-1))
  }
}

export async function startSentinel (t: Test): Promise<RedisSentinel> {
  const master = await startRedis(t, ['--repl-diskless-sync-delay', '0'])
  const replica = await startRedis(t, ['--replicaof', '127.0.0.1', String(master.port), '--repl-ping-replica-period', '1'])
  // The sentinel asks the servers at once, and then every ten seconds.
  while (!(await master.run('INFO replication')).includes('state=online'));
  const folder = mkdtempSync(join(tmpdir(), 'vitals-sentinel-'))
  const port = await freePort()
  const configuration = join(folder, 'sentinel.conf')
  writeFileSync(configuration, [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor ${MASTER} 127.0.0.1 ${master.port} 1`,
    `sentinel down-after-milliseconds ${MASTER} 1000`,
    `sentinel failover-timeout ${MASTER} 3000`,
    ''
  ].join('\n'))
  const process = new ServerProcess({ program: 'redis-server', args: [configuration, '--sentinel'], stream: 'stdout', ready: '+monitor master', signal: 'SIGKILL' })
  t.teardown(async () => {
    await process.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  await process.start()
  const sentinel = new RedisSentinel(port, [master, replica])
  await sentinel.isWhole()
  return sentinel
}
