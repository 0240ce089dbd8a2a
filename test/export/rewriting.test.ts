import t from 'tap'
import type { Format } from '../../lib/export/format.ts'
import { Exposition } from '../../lib/export/exposition.ts'
import { createView } from '../../lib/export/view.ts'
import { Registry } from '../../lib/series/registry.ts'
import { Random } from '../support/random.ts'

const formats: Format[] = ['prometheus', 'openmetrics']

t.test('writes over what it kept and arrives at the text that a first writing gives', async t => {
  const registry = new Registry({ constantLabels: { env: 'prö"d' } })
  const durations = registry.histogram({ name: 'work_duration_seconds', help: 'Durations', labels: ['kind', 'place'] })
  registry.countOf(durations, { name: 'work_total', help: 'Work' })
  const sizes = registry.histogram({ name: 'work_size_bytes', help: 'Sizes', labels: ['kind'], buckets: [1, 10, 100] })
  const plain = registry.histogram({ name: 'plain_seconds', help: 'Without labels' })
  const counted = registry.counter({ name: 'counted_total', help: 'Counts', labels: ['kind'] })
  const level = registry.gauge({ name: 'level', help: 'A level' })
  const levels = [NaN, Infinity, -Infinity, -0, -3, 1e21, 5, 12.5]
  const steps = [1, 9, 90, 0.5, 2 ** 31, 1e15, 2 ** 53]
  const viewed = (hasScopeLabels: boolean) => () => new Exposition(registry, createView({ naming: 'semconv', scopeLabels: hasScopeLabels, totalSuffix: true }, undefined, () => {}))
  const expositions = [() => new Exposition(registry), viewed(true), viewed(false)].map(open => [open, open()] as const)
  const random = new Random(1)
  let rendered = 0

  for (let round = 0; round < 250; round++) {
    for (let change = random.below(40); change > 0; change--) {
      const kind = 'ä"\\\n x'.slice(0, random.below(6)) + random.below(150)
      switch (random.below(6)) {
        case 0: counted.inc({ kind }, random.pick(steps)); break
        case 1: level.set(random.pick(levels)); break
        case 2: plain.observe(random.below(200) / 10); break
        case 3:
          if (random.below(5) > 0) sizes.observe({ kind }, random.below(300))
          else if (random.below(2) > 0) durations.remove({ kind, place: 'x' })
          else {
            // One more begins in the same row, with as many digits.
            counted.remove({ kind })
            counted.inc({ kind }, 3)
          }
          break
        case 4: if (random.below(100) === 0) durations.reset(); break
        default: for (let times = 10 ** random.below(3); times > 0; times--) durations.observe({ kind, place: 'x' }, random.below(1200) / 100)
      }
    }
    for (const format of formats) {
      for (const [openAnother, exposition] of expositions) {
        const kept = await exposition.render(format)
        const first = await openAnother().render(format)
        if (kept !== first) t.equal(kept, first, `round ${round}, ${format}`)
        rendered++
      }
    }
    // A scraper that leaves early must not spoil what is kept.
    if (round % 7 === 0) for (const [, exposition] of expositions) for await (const chunk of exposition.scrape('prometheus')) if (chunk.length > 0) break
  }
  t.equal(rendered, 1_500)
})

t.test('leaves the slices that a slow reader still holds as they were', async t => {
  const registry = new Registry()
  const counted = registry.counter({ name: 'counted_total', help: 'Counts', labels: ['n'] })
  for (let n = 0; n < 600; n++) counted.inc({ n })
  const exposition = new Exposition(registry)
  const held: Buffer[] = []
  for await (const chunk of exposition.scrape('prometheus')) held.push(chunk)
  const text = Buffer.concat(held).toString()
  for (let n = 0; n < 600; n++) counted.inc({ n })
  t.not(await exposition.render('prometheus'), text)
  t.equal(Buffer.concat(held).toString(), text)
})

t.test('a series without any label is written over too, with since when it counts', async t => {
  const registry = new Registry()
  const bare = registry.counter({ name: 'bare_total', help: 'Counts' })
  const open = (): Exposition => new Exposition(registry, createView({ naming: 'semconv', scopeLabels: false, totalSuffix: true }, undefined, () => {}))
  const exposition = open()
  for (let round = 0; round < 4; round++) {
    bare.inc(7)
    const kept = await exposition.render('openmetrics')
    t.equal(kept, await open().render('openmetrics'))
    t.match(kept, new RegExp(`\nbare_total ${round * 7 + 7}\nbare_created [\\d.]+\n`))
  }
})
