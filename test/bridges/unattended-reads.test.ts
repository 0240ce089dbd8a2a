import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const service = fileURLToPath(new URL('../support/collecting-service.ts', import.meta.url))

for (const [source, title] of [['registry', 'a prom-client registry'], ['meters', 'a callback of an observable instrument']] as const) {
  t.test(`${title} that never answers holds the process only for whoever waits`, async t => {
    const says = async (...waitsFor: string[]): Promise<string> => {
      const child = spawn(process.execPath, [...process.execArgv, service, source, ...waitsFor], { stdio: ['ignore', 'pipe', 'inherit'] })
      t.teardown(() => child.kill('SIGKILL'))
      return await text(child.stdout)
    }
    t.same(await Promise.all([says(), says('render'), says('scrape'), says('json')]), ['left\n', 'rendered\nran out of time\n', '200\nran out of time\n', 'listed\nran out of time\n'])
  })
}
