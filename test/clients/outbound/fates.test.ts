import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { Readable } from 'node:stream'
import t from 'tap'
import type { Test } from 'tap'
import { freePort } from '../../support/free-port.ts'
import { expectOutbound, readBooks, startOutbound } from './support/books.ts'
import { senders } from './support/senders.ts'
import type { Sender, SendOptions } from './support/senders.ts'
import { startTarget } from './support/target.ts'

for (const sender of senders) t.test(sender.name, t => suite(t, sender))

async function suite (t: Test, { send, open, close }: Sender): Promise<void> {
  const target = await startTarget(t)
  const { url, host } = target
  t.teardown(close)
  const isFetch = t.name.endsWith('fetch')
  const failing = async (path: string, options?: SendOptions): Promise<unknown> => await t.rejects(send(`${url}${path}`, options), path)

  await t.test('counts every answer by its method and status, within the time that its caller measures', async t => {
    const app = await startOutbound(t)
    let seconds = 0
    const timed = async (path: string, options?: SendOptions) => {
      const before = performance.now()
      const answer = await send(`${url}${path}`, options)
      seconds += (performance.now() - before) / 1_000
      return answer
    }
    t.strictSame(await timed('/ok?token=secret#part'), { status: 200, body: 'ok' })
    t.strictSame(await timed('/ok', { method: 'HEAD' }), { status: 200, body: '' })
    for (const status of [204, 304, 404, 500]) t.equal((await timed(`/status/${status}`)).status, status)
    t.equal((await timed('/chunks')).body, 'one two three')
    t.equal((await timed('/large')).body.length, 1_000_000)
    t.equal((await timed('/echo', { method: 'POST', body: 'hello' })).body, 'hello')
    t.equal((await timed('/echo', { method: 'PUT', body: Readable.from(['one ', 'two']) })).body, 'one two')
    t.equal((await timed('/unknown', { method: 'DELETE' })).status, 599)
    await timed('/ok', { method: 'PATCH' })
    await timed('/ok', { method: 'OPTIONS' })
    await timed('/ok', { method: 'PROPFIND' })
    const books = await expectOutbound(t, app, {
      [`GET ${host} 200`]: 3,
      [`HEAD ${host} 200`]: 1,
      [`GET ${host} 204`]: 1,
      [`GET ${host} 304`]: 1,
      [`GET ${host} 404`]: 1,
      [`GET ${host} 500`]: 1,
      [`POST ${host} 200`]: 1,
      [`PUT ${host} 200`]: 1,
      [`DELETE ${host} 599`]: 1,
      [`PATCH ${host} 200`]: 1,
      [`OPTIONS ${host} 200`]: 1,
      [`_OTHER ${host} 200`]: 1
    })
    t.ok(books.seconds > 0 && books.seconds <= seconds, `${books.seconds} of ${seconds} s`)
  })

  await t.test('counts by the last head where informational ones come before', async t => {
    const app = await startOutbound(t)
    t.equal((await send(`${url}/early`)).body, 'late')
    await expectOutbound(t, app, { [`GET ${host} 200`]: 1 })
  })

  await t.test('counts each hop of a redirect', async t => {
    const app = await startOutbound(t)
    const { status } = await send(`${url}/redirect/3`)
    t.equal(status, isFetch ? 200 : 302)
    await expectOutbound(t, app, isFetch ? { [`GET ${host} 302`]: 3, [`GET ${host} 200`]: 1 } : { [`GET ${host} 302`]: 1 })
  })

  await t.test('shows what is under way', async t => {
    const app = await startOutbound(t)
    const abort = new AbortController()
    const sent = failing('/silent', { signal: abort.signal })
    await once(target.arrivals, '/silent')
    t.strictSame((await readBooks(app)).inProgress, { [host]: 1 })
    const { leave } = await open(`${url}/half`)
    t.strictSame((await readBooks(app)).inProgress, { [host]: 2 })
    abort.abort()
    await sent
    leave()
    await expectOutbound(t, app, { [`GET ${host} error`]: 1, [`GET ${host} 200`]: 1 })
  })

  await t.test('counts what is aborted: before it begins, before the head, after it', async t => {
    const app = await startOutbound(t)
    await failing('/ok', { signal: AbortSignal.abort() })
    const beforeHead = new AbortController()
    const silent = failing('/silent', { signal: beforeHead.signal })
    await once(target.arrivals, '/silent')
    beforeHead.abort(new Error('no time'))
    await silent
    const afterHead = new AbortController()
    const half = failing('/half', { signal: afterHead.signal })
    await once(target.arrivals, '/half')
    await open(`${url}/half`, { signal: afterHead.signal })
    afterHead.abort()
    await half
    await failing('/silent', { signal: AbortSignal.timeout(20) })
    // An aborted `fetch` makes no request.
    await expectOutbound(t, app, { [`GET ${host} error`]: isFetch ? 2 : 3, [`GET ${host} 200`]: 2 })
  })

  await t.test('counts what the server breaks off', async t => {
    const app = await startOutbound(t)
    await failing('/dies')
    await failing('/hangup')
    await failing('/hinted')
    await expectOutbound(t, app, { [`GET ${host} 200`]: 1, [`GET ${host} error`]: 2 })
  })

  await t.test('counts what is no HTTP, from its first line on or in its body', async t => {
    const app = await startOutbound(t)
    await failing('/nonsense')
    await failing('/garbled')
    await expectOutbound(t, app, { [`GET ${host} 200`]: 1, [`GET ${host} error`]: 1 })
  })

  await t.test('counts an upload that is answered before it ends', async t => {
    const app = await startOutbound(t)
    const body = Readable.from((async function * () { for (let i = 0; i < 50; i++) yield 'x'.repeat(1_000) })())
    await send(`${url}/eager`, { method: 'POST', body }).catch(() => {})
    await expectOutbound(t, app, { [`POST ${host} 413`]: 1 })
  })

  await t.test('counts an upload whose source fails', async t => {
    const app = await startOutbound(t)
    const body = Readable.from((async function * () { yield 'x'; throw new Error('no more') })())
    await failing('/silent', { method: 'POST', body })
    await expectOutbound(t, app, { [`POST ${host} error`]: 1 })
  })

  await t.test('counts hosts that cannot be reached', async t => {
    const app = await startOutbound(t)
    const port = await freePort()
    await t.rejects(send(`http://127.0.0.1:${port}/`))
    await t.rejects(send(`http://${isFetch ? '' : 'USER:pass@'}Nowhere.invalid/path?query`))
    await expectOutbound(t, app, { [`GET 127.0.0.1:${port} error`]: 1, 'GET nowhere.invalid error': 1 })
  })
}
