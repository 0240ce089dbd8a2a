import t from 'tap'
import type { Test } from 'tap'
import { Registry } from '../../lib/series/registry.ts'
import { Traces } from '../../lib/series/traces.ts'

interface Recorded {
  readonly registry: Registry
  /** Notes one record of a histogram with one bucket. */
  readonly note: (value: number) => void
  /** How many records have been added to the series, whoever looks. */
  readonly added: () => number
}

function create (registry: Registry): Recorded {
  const histogram = registry.histogram({ name: 'work_seconds', help: 'Work.', labels: ['kind'], unit: 'seconds', buckets: [1] })
  let added = 0
  const record = (value: number): void => {
    added++
    histogram.observe({ kind: 'a' }, value)
  }
  const batch = registry.batch(1, (cells, at) => record(cells[at]!))
  return {
    registry,
    note (value) {
      const at = batch.next()
      if (at < 0) record(value)
      else batch.cells[at] = value
    },
    added: () => added
  }
}

const labels = { kind: 'a' }

function countOf ({ registry }: Recorded): number {
  return (registry.read('work_seconds', labels) as { count: number } | undefined)?.count ?? 0
}

t.test('every look at the store has every record', async t => {
  const looks: Record<string, (recorded: Recorded) => number> = {
    read: countOf,
    snapshot: ({ registry }) => registry.snapshot().families.find(family => family.name === 'work_seconds')!.banks[0]!.cells[0]!
  }
  for (const [name, look] of Object.entries(looks)) {
    const recorded = create(new Registry())
    let noted = 0
    for (const more of [1, 1, 5, 14, 15, 16, 17, 31, 32, 33, 100]) {
      for (let i = 0; i < more; i++) recorded.note(1)
      noted += more
      t.equal(look(recorded), noted, `${name} after ${more} more`)
    }
    t.equal(recorded.added(), noted, `${name} has added each once`)
  }
})

t.test('values and buckets are those that were noted', async t => {
  const recorded = create(new Registry())
  const values = Array.from({ length: 50 }, (_, i) => i / 25)
  for (const value of values) recorded.note(value)
  t.strictSame(recorded.registry.read('work_seconds', labels), {
    count: 50,
    sum: values.reduce((sum, value) => sum + value, 0),
    buckets: { 1: values.filter(value => value <= 1).length, '+Inf': 50 }
  })
})

t.test('the first record of a batch is made at once, so that its series begins with it', async t => {
  const recorded = create(new Registry())
  recorded.note(1)
  t.equal(recorded.added(), 1)
  recorded.note(1)
  t.equal(recorded.added(), 1, 'the second is noted')
  t.equal(countOf(recorded), 2)
  recorded.note(1)
  t.equal(recorded.added(), 3, 'after a look comes another first')
})

t.test('what was noted before a removal or a reset goes with it', async t => {
  const histogramOf = ({ registry }: Recorded) => registry.histogram({ name: 'work_seconds', help: 'Work.', labels: ['kind'], unit: 'seconds', buckets: [1] })
  for (const undo of ['remove', 'reset'] as const) {
    const recorded = create(new Registry())
    for (let i = 0; i < 10; i++) recorded.note(1)
    if (undo === 'remove') histogramOf(recorded).remove(labels)
    else histogramOf(recorded).reset()
    t.equal(countOf(recorded), 0, undo)
    for (let i = 0; i < 20; i++) recorded.note(1)
    t.equal(countOf(recorded), 20, `and after the ${undo} it begins anew`)
  }
})

t.test('batches that nobody reads are settled after a thousand others', async t => {
  const registry = new Registry()
  const histogram = registry.histogram({ name: 'work_seconds', help: 'Work.', unit: 'seconds', buckets: [1] })
  let added = 0
  const note = (): void => {
    const batch = registry.batch(1, (cells, at) => {
      added++
      histogram.observe(cells[at]!)
    })
    for (let i = 0; i < 2; i++) {
      const at = batch.next()
      if (at < 0) histogram.observe(1)
      else batch.cells[at] = 1
    }
  }
  for (let i = 0; i < 1_000; i++) note()
  t.equal(added, 0)
  note()
  t.equal(added, 1_000)
  t.equal((registry.read('work_seconds') as { count: number }).count, 2_002)
})

t.test('who is told of a record makes one', async t => {
  const registry = new Registry()
  const histogram = registry.histogram({ name: 'work_seconds', help: 'Work.', unit: 'seconds', buckets: [1] })
  let left = 40
  const batch = registry.batch(1, (cells, at) => {
    histogram.observe(cells[at]!)
    if (left-- > 0) note(2)
  })
  function note (value: number): void {
    const at = batch.next()
    if (at < 0) histogram.observe(value)
    else batch.cells[at] = value
  }
  for (let i = 0; i < 60; i++) note(1)
  const { count, sum } = registry.read('work_seconds') as { count: number, sum: number }
  t.same([count, sum], [100, 140])
})

t.test('a store with exemplars makes each record while its trace is known', async t => {
  everyRecordAtOnce(t, new Registry({ traces: new Traces({ read: () => undefined, canTrace: () => false, rest: () => {} }) }), 40)
})

t.test('a store that holds nothing is given nothing to hold', async t => {
  everyRecordAtOnce(t, new Registry({ recording: false }), 0)
})

function everyRecordAtOnce (t: Test, registry: Registry, held: number): void {
  const recorded = create(registry)
  for (let i = 1; i <= 40; i++) {
    recorded.note(1)
    t.equal(recorded.added(), i)
  }
  t.equal(countOf(recorded), held)
}
