import { geometricMean, median, quantile, shuffled } from './stats.js'

/** Where nothing is instrumented, twice: the second says what the measuring itself is worth. */
export const BARE = ['bare', 'bare-again']

/** How slices of operations are run. Operations that do not wait are not run one at a time. */
const runs = {
  alone: { concurrency: 1, slicesPerRound: 5, of: ({ ms }) => ms },
  together: { concurrency: 8, slicesPerRound: 1, of: ({ cpuMs }) => cpuMs }
}

/** What is made of the slices. */
export const measures = {
  time: { title: 'time (target ≤ 1.02)', run: 'alone', value: besideOthers, took: median },
  undisturbed: { title: 'time, undisturbed', run: 'alone', value: lowTenth, took: lowTenth },
  cpu: { title: 'CPU', run: 'together', value: besideOthers, took: median }
}

export const method = `Time: by the clock, one operation after the other, as a caller waits for it. CPU: user and system, of the whole process, eight operations at a
time, so that what is spent per packet and per turn of the event loop is shared by many. Of both the median slice of a process, each set against the (geometric) mean
of those that ran next to it; undisturbed: the tenth percentile of its slices. Slices of operations, once each process has run 40,000, in turn in a random order, over
many generations of processes, since one process differs from the next by more than what is measured. Servers have the first core, the measured process the second, and
both cores are kept awake.`

/** Operations of each process before it is measured: until then V8 is still at work on its code. */
const warmUpOperations = 40_000

/** The measures of an operation of which a slice of each run is `slices` operations. */
export function measuresOf (slices) {
  return Object.keys(measures).filter((measure) => slices[measures[measure].run] !== undefined)
}

/**
 * One generation of processes, one for each name, which take turns: `start(name)` starts one that answers
 * `{ operations, concurrency }` with `{ cpuMs, ms }`. By measure and name: `us` of an operation, and its `ratio` to that of the two bare ones.
 */
export async function measureGeneration (names, { start, slices, rounds }) {
  const running = []
  try {
    for (const name of shuffled(names)) running.push({ name, child: await start(name), alone: [], together: [] })
    for (const { child } of running) await child.ask({ operations: Math.max(warmUpOperations, slices.together), concurrency: runs.together.concurrency })
    for (let round = 0; round < rounds; round++) {
      for (const [run, { concurrency, slicesPerRound, of }] of Object.entries(runs)) {
        if (slices[run] === undefined) continue
        for (let i = 0; i < slicesPerRound; i++) {
          for (const one of shuffled(running)) one[run].push(of(await one.child.ask({ operations: slices[run], concurrency })))
        }
      }
    }
  } finally {
    for (const { child } of running) child.stop()
  }
  return Object.fromEntries(measuresOf(slices).map((measure) => [measure, summed(measures[measure], running, slices)]))
}

function summed ({ run, value, took }, running, slices) {
  const all = running.map((one) => one[run])
  const values = running.map(({ name, [run]: own }) => ({ name, value: value(own, all), us: took(own) * 1_000 / slices[run] }))
  const bare = geometricMean(values.filter(({ name }) => BARE.includes(name)).map(({ value }) => value))
  return Object.fromEntries(values.map(({ name, value, us }) => [name, { us, ratio: value / bare }]))
}

function lowTenth (own) {
  return quantile(own, 0.1)
}

function besideOthers (own, all) {
  return median(own.map((value, i) => value / geometricMean(all.map((slices) => slices[i]))))
}
