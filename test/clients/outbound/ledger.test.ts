import { performance } from 'node:perf_hooks'
import { Readable } from 'node:stream'
import t from 'tap'
import { Random } from '../../support/random.ts'
import { turn } from '../../support/gate.ts'
import { expectOutbound, startOutbound } from './support/books.ts'
import type { Sender } from './support/senders.ts'
import { senders } from './support/senders.ts'
import { startTarget } from './support/target.ts'

const REQUESTS = 10_000
const AT_ONCE = 200

t.test(`keeps the same books as the callers of ${REQUESTS} requests of all fates, by all clients at once`, async t => {
  const random = new Random(11)
  const { url, host } = await startTarget(t)
  t.teardown(() => Promise.all(senders.map(({ close }) => close())))
  const app = await startOutbound(t)
  const expected: Record<string, number> = {}
  let callersSeconds = 0
  const book = (key: string): void => { expected[key] = (expected[key] ?? 0) + 1 }

  /** What happens to a request; each books itself by what its caller learns. */
  const fates: Record<string, (sender: Sender) => Promise<void>> = {
    async answered ({ send }) {
      const path = random.pick(['/ok', '/chunks', '/early', '/status/404', '/status/204', '/status/500'])
      const method = random.pick(['GET', 'GET', 'HEAD'])
      const { status } = await send(`${url}${path}`, { method })
      book(`${method} ${host} ${status}`)
    },
    async uploaded ({ send }) {
      const body = random.below(2) === 0 ? 'x'.repeat(random.below(5_000)) : Readable.from(['one', 'two'])
      const { status } = await send(`${url}/echo`, { method: 'POST', body })
      book(`POST ${host} ${status}`)
    },
    async broken ({ send }) {
      await t.rejects(send(`${url}/dies`, { method: 'PUT' }))
      book(`PUT ${host} 200`)
    },
    async hungUp ({ send }) {
      await t.rejects(send(`${url}/hangup`, { method: 'DELETE' }))
      book(`DELETE ${host} error`)
    },
    async left ({ open }) {
      const { leave } = await open(`${url}/half`)
      leave()
      book(`GET ${host} 200`)
    },
    async aborted ({ send }) {
      const abort = new AbortController()
      const sent = t.rejects(send(`${url}/silent`, { method: 'PATCH', signal: abort.signal }))
      for (let i = random.below(20); i >= 0; i--) await turn()
      abort.abort()
      await sent
      book(`PATCH ${host} error`)
    }
  }
  const mix = Object.values(fates).flatMap((fate, i) => Array.from({ length: [10, 4, 1, 1, 1, 1][i]! }, () => fate))

  let left = REQUESTS
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (left-- > 0) {
      const before = performance.now()
      await random.pick(mix)(random.pick(senders))
      callersSeconds += (performance.now() - before) / 1_000
    }
  }))
  const { seconds } = await expectOutbound(t, app, expected)
  t.ok(seconds > 0 && seconds <= callersSeconds, `${seconds} s of the ${callersSeconds} s that the callers measured`)
})
