import t from 'tap'
import { SharedStream } from '../../lib/export/shared-stream.ts'
import { openStore } from '../support/store.ts'

t.test('writes a series, a help text and constant labels that are larger than a slice', async t => {
  const constantLabels = Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`constant_${i}`, 'ü'.repeat(1_000)]))
  const { vitals, scrape } = await openStore(t, { constantLabels })
  const labels = Array.from({ length: 40 }, (_, i) => `label_${i}`)
  const value = '☃'.repeat(1_000)
  const histogram = vitals.histogram({ name: 'large_seconds', help: 'h'.repeat(100_000), labels })
  histogram.observe(Object.fromEntries(labels.map(label => [label, value])), 3)
  vitals.gauge({ name: 'after', help: 'y'.repeat(65_000) }).set(5)

  for (const format of ['prometheus', 'openmetrics'] as const) {
    const families = [...(await scrape(format)).values()]
    const large = families.find(family => family.name === 'large_seconds')!
    t.equal(large.samples.length, 15)
    t.ok(large.samples.every(sample => sample.labels['label_39'] === value && sample.labels['constant_79'] === 'ü'.repeat(1_000)))
    t.equal(families.find(family => family.name === 'after')!.samples[0]!.value, 5)
  }
})

t.test('several readers get every chunk once, in order, from one production, and its failure', async t => {
  let produced = 0
  async function * source (): AsyncGenerator<number, void, void> {
    for (let i = 0; i < 50; i++) yield produced++
    throw new Error('the source is broken')
  }
  const stream = new SharedStream(source())
  const read = async (): Promise<number[]> => {
    const chunks: number[] = []
    await t.rejects(async () => { for await (const chunk of stream.read()) chunks.push(chunk) }, { message: 'the source is broken' })
    return chunks
  }
  const all = Array.from({ length: 50 }, (_, i) => i)
  t.strictSame(await Promise.all([read(), read(), read()]), [all, all, all])
  t.equal(produced, 50)
})

t.test('readers of a production that ended get all of it', async t => {
  async function * source (): AsyncGenerator<string, void, void> { yield 'one'; yield 'two' }
  const stream = new SharedStream(source())
  const read = async (): Promise<string[]> => {
    const chunks: string[] = []
    for await (const chunk of stream.read()) chunks.push(chunk)
    return chunks
  }
  t.strictSame(await Promise.all([read(), read()]), [['one', 'two'], ['one', 'two']])
  t.equal(stream.isDone, true)
  t.strictSame(await read(), ['one', 'two'])
})
