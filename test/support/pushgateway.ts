import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'

/** A real Pushgateway of the test's own, from Debian's package `prometheus-pushgateway`; resolves to its URL once it listens. */
export async function startPushgateway (t: Test): Promise<string> {
  const gateway = spawn('prometheus-pushgateway', ['--web.listen-address=127.0.0.1:0', '--persistence.file='], { stdio: ['ignore', 'ignore', 'pipe'] })
  const closed = once(gateway, 'close')
  t.teardown(async () => {
    gateway.kill('SIGKILL')
    await closed
  })
  for await (const line of createInterface(gateway.stderr)) {
    const address = /msg="Listening on" address=(\S+)/.exec(line)?.[1]
    if (address !== undefined) {
      gateway.stderr.resume()
      return `http://${address}`
    }
  }
  throw new Error('The Pushgateway ended before it listened')
}
