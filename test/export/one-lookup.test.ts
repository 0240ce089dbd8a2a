import type { LookupOptions } from 'node:dns'
import { isIP } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { createLookup } from '../../lib/export/one-lookup.ts'

const lookup = createLookup()

async function addressesOf (hostname: string, options: LookupOptions): Promise<unknown> {
  return await new Promise(resolve => lookup(hostname, options, (error, addresses) => resolve(error?.code ?? addresses)))
}

function lookupsUnderWay (): number {
  return process.getActiveResourcesInfo().filter(resource => resource === 'GetAddrInfoReqWrap').length
}

t.test('a name is looked up once for all that ask meanwhile, and again for who asks later', async t => {
  const asked = [addressesOf('localhost', { family: 4 }), addressesOf('localhost', { family: 4 }), addressesOf('localhost', { all: true })]
  t.equal(lookupsUnderWay(), 2)
  const [first, second, all] = await Promise.all(asked)
  t.ok(isIP(first as string))
  t.equal(second, first)
  t.ok(Array.isArray(all))
  // What is done with is let go of a turn later.
  await setImmediate()
  const later = addressesOf('localhost', { family: 4 })
  t.equal(lookupsUnderWay(), 1)
  t.equal(await later, first)
})

t.test('all that wait are told of a failure', async t => {
  const codes = await Promise.all([addressesOf('receiver.invalid', {}), addressesOf('receiver.invalid', {})])
  t.match(codes[0], /^(ENOTFOUND|EAI_AGAIN)$/)
  t.equal(codes[1], codes[0])
})
