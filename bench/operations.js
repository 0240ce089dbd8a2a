import { geometricMean, median, quantile, shuffled } from './stats.js'

/** Where nothing is instrumented, twice: the second says what the measuring itself is worth. */
export const BARE = ['bare', 'bare-again']

/** How an operation is measured. Those that do not wait are not measured one at a time. */
export const measures = {
  alone: { title: 'time (target ≤ 1.02)', concurrency: 1, slicesPerRound: 5, of: ({ ms }) => ms },
  together: { title: 'CPU', concurrency: 8, slicesPerRound: 1, of: ({ cpuMs }) => cpuMs }
}

export const method = `Time: by the clock, one operation after the other, as a caller waits for it; the tenth percentile of a process's slices. CPU: user and
system, of the whole process, eight operations at a time, so that what is spent per packet and per turn of the event loop is shared by many; each slice is set
against the (geometric) mean of its round. Slices of operations, once each process has run 40,000, in turn in a random order, over many generations of processes, since one
process differs from the next by more than what is measured. Servers have the first core, the measured process the second, and both cores are kept awake.`

/** Operations of each process before it is measured: until then V8 is still at work on its code. */
const warmUpOperations = 40_000

/** The measures of an operation of which a slice of each is `slices` operations. */
export function measuresOf (slices) {
  return Object.keys(measures).filter((measure) => slices[measure] !== undefined)
}

/**
 * One generation of processes, one for each name, which take turns: `start(name)` starts one that answers
 * `{ operations, concurrency }` with `{ cpuMs, ms }`. By measure and name: `us` of an operation, and its `ratio` to that of the two bare ones.
 */
export async function measureGeneration (names, { start, slices, rounds }) {
  const kinds = measuresOf(slices)
  const running = []
  try {
    for (const name of shuffled(names)) running.push({ name, child: await start(name), alone: [], together: [] })
    for (const { child } of running) await child.ask({ operations: Math.max(warmUpOperations, slices.together), concurrency: measures.together.concurrency })
    for (let round = 0; round < rounds; round++) {
      for (const measure of kinds) {
        const { concurrency, slicesPerRound, of } = measures[measure]
        for (let i = 0; i < slicesPerRound; i++) {
          for (const one of shuffled(running)) one[measure].push(of(await one.child.ask({ operations: slices[measure], concurrency })))
        }
      }
    }
  } finally {
    for (const { child } of running) child.stop()
  }
  return Object.fromEntries(kinds.map((measure) => [measure, summed(measure, running, slices[measure])]))
}

function summed (measure, running, operations) {
  const values = running.map((one) => ({ name: one.name, ...summaries[measure](one, running) }))
  const bare = geometricMean(values.filter(({ name }) => BARE.includes(name)).map(({ value }) => value))
  return Object.fromEntries(values.map(({ name, value, ms }) => [name, { us: ms * 1_000 / operations, ratio: value / bare }]))
}

const summaries = {
  alone ({ alone }) {
    const ms = quantile(alone, 0.1)
    return { value: ms, ms }
  },
  together ({ together }, running) {
    return { value: median(together.map((value, i) => value / geometricMean(running.map((one) => one.together[i])))), ms: median(together) }
  }
}
