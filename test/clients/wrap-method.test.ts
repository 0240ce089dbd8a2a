import t from 'tap'
import { errorTypeOf } from '../../lib/clients/error-type.ts'
import { wrapMethod } from '../../lib/clients/wrap-method.ts'

class Client {
  calls: unknown[][] = []

  query (...args: [text: string, values?: number[]]): string {
    this.calls.push(args)
    return `rows of ${args[0]}`
  }
}

t.test('a wrapped method sees its receiver and its arguments, and keeps its name, length and result', t => {
  const client = new Client()
  const seen: unknown[] = []
  wrapMethod(client, 'query', (receiver, original, args) => {
    seen.push(receiver, args)
    return Reflect.apply(original, receiver, args)
  })
  t.equal(client.query('a', [1]), 'rows of a')
  t.same(client.calls, [['a', [1]]])
  t.equal(seen[0], client)
  t.equal(client.query.name, 'query')
  t.equal(client.query.length, Client.prototype.query.length)
  t.same(Object.keys(client), ['calls'], 'it is not enumerable')
  t.end()
})

t.test('what was there comes back: an inherited method, or a property as it was', t => {
  const inherited = new Client()
  wrapMethod(inherited, 'query', () => 'ours')()
  t.notOk(Object.hasOwn(inherited, 'query'))
  const own = { query: () => 'its own' }
  const before = Object.getOwnPropertyDescriptor(own, 'query')
  const restore = wrapMethod(own, 'query', () => 'ours')
  t.same(Object.keys(own), ['query'])
  t.equal(own.query(), 'ours')
  restore()
  t.same(Object.getOwnPropertyDescriptor(own, 'query'), before)
  restore()
  t.same(Object.getOwnPropertyDescriptor(own, 'query'), before)
  t.end()
})

t.test('wrappers of ours may end in any order', t => {
  const client = new Client()
  const first = wrapMethod(client, 'query', (receiver, original, args) => `1 ${Reflect.apply(original, receiver, args)}`)
  const second = wrapMethod(client, 'query', (receiver, original, args) => `2 ${Reflect.apply(original, receiver, args)}`)
  const third = wrapMethod(client, 'query', (receiver, original, args) => `3 ${Reflect.apply(original, receiver, args)}`)
  t.equal(client.query('a'), '3 2 1 rows of a')
  first()
  second()
  t.equal(client.query('a'), '3 rows of a')
  third()
  t.notOk(Object.hasOwn(client, 'query'))
  t.end()
})

t.test('what somebody else has wrapped since stays, and ours passes on', t => {
  const client = new Client()
  const restore = wrapMethod(client, 'query', () => 'ours')
  const ours = client.query
  client.query = function (...args) { return `theirs over ${Reflect.apply(ours, this, args)}` }
  t.equal(client.query('a'), 'theirs over ours')
  restore()
  t.equal(client.query('a'), 'theirs over rows of a')
  t.end()
})

t.test('an error is told by its code, else by its class, never by its message', t => {
  const coded = (code: unknown): Error => Object.assign(new TypeError('secret'), { code })
  t.equal(errorTypeOf(coded('23505')), '23505')
  t.equal(errorTypeOf(coded('ECONNREFUSED')), 'ECONNREFUSED')
  t.equal(errorTypeOf(coded(11000)), '11000')
  t.equal(errorTypeOf(coded('a password, perhaps')), 'TypeError')
  t.equal(errorTypeOf(coded('x'.repeat(65))), 'TypeError')
  t.equal(errorTypeOf(Object.assign(new Error('secret'), { name: 'odd name: secret' })), 'other')
  for (const thrown of [undefined, null, 'secret', {}]) t.equal(errorTypeOf(thrown), 'other')
  t.equal(errorTypeOf({ get code () { throw new Error('secret') } }), 'other')
  t.end()
})
