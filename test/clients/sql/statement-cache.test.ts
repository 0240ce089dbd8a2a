import t from 'tap'
import { StatementCache } from '../../../lib/clients/sql/statement-cache.ts'

t.test('keeps what is asked for again among texts that never come twice', async t => {
  const cache = new StatementCache<number>()
  for (let i = 0; i < 10; i++) cache.set(`SELECT ${i}`, i)
  let hits = 0
  for (let i = 0; i < 100_000; i++) {
    if (i % 40 === 0 && cache.get(`SELECT ${i / 40 % 10}`) === i / 40 % 10) hits++
    const sql = `SELECT ${i} FROM t`
    if (cache.get(sql) !== undefined) t.fail(sql)
    cache.set(sql, i)
  }
  t.equal(hits, 2_500)
})

t.test('holds no more than 1,000 statements', async t => {
  const cache = new StatementCache<object>()
  const texts = Array.from({ length: 5_000 }, (_, i) => `SELECT ${i}`)
  for (const sql of texts) cache.set(sql, {})
  t.equal(texts.filter(sql => cache.get(sql) !== undefined).length <= 1_000, true)
  t.ok(cache.get(texts.at(-1)!))
})

t.test('holds none of more than 2,000 characters', async t => {
  const cache = new StatementCache<object>()
  for (const [length, isHeld] of [[2_000, true], [2_001, false]] as const) {
    const sql = ' '.repeat(length)
    cache.set(sql, {})
    t.equal(cache.get(sql) !== undefined, isHeld)
  }
})
