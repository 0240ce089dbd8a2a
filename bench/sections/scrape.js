import { startChild } from '../child.js'
import { median, shuffled, summary } from '../stats.js'
import { cell, number } from '../table.js'

const sizes = [1_000, 10_000, 100_000]

export const title = 'Scrape time'
export const method = `From asking for the text to having its bytes, × faster than prom-client; the lesser of the clock and of the process's CPU
time; all peers in turn in a random order. "All" was touched since the last scrape, or "a tenth" of the series. A label set has 27 lines: a counter and two histograms.`
export const columns = sizes.flatMap((lines) => [`${lines} lines, all${lines === 10_000 ? ' (target ≥ 8)' : ''}`, `a tenth${lines === 10_000 ? ' (target ≥ 15)' : ''}`]).concat('ms for 100,000, all')
export const uses = 'createStore'

export async function measure (names, { generations, rounds, log }) {
  const rows = new Map(names.map((name) => [name, [name]]))
  for (const lines of sizes) {
    let took
    for (const every of [1, 10]) {
      const result = await measureScrapes(names, { lines, every, generations, rounds })
      for (const name of names) rows.get(name).push(cell(summary(result.ratios.get(name)), 1))
      if (every === 1) took = result.took
    }
    if (lines === sizes.at(-1)) for (const name of names) rows.get(name).push(number(median(took.get(name)), 1))
    log(`  ${lines} lines done`)
  }
  return [...rows.values()]
}

async function measureScrapes (names, { lines, every, generations, rounds }) {
  const times = Math.max(1, 20_000 / lines)
  const warmUps = Math.min(200, Math.max(20, 1_000_000 / lines))
  const ratios = new Map(names.map((name) => [name, []]))
  const took = new Map(names.map((name) => [name, []]))
  for (let generation = 0; generation < Math.ceil(generations / 3); generation++) {
    const workers = []
    for (const name of names) {
      const child = await startChild('./worker.js', [name], { execArgv: ['--expose-gc'] })
      await child.ask({ task: 'fill', lines })
      await child.ask({ task: 'scrape', every, times: warmUps })
      workers.push({ name, child, took: [] })
    }
    for (let round = 0; round < rounds; round++) {
      for (const worker of shuffled(workers)) worker.took.push(median(await worker.child.ask({ task: 'scrape', every, times })))
    }
    const base = workers.find(({ name }) => name === 'prom-client')
    for (const worker of workers) {
      ratios.get(worker.name).push(...worker.took.map((value, i) => base.took[i] / value))
      took.get(worker.name).push(...worker.took)
      worker.child.stop()
    }
  }
  return { ratios, took }
}
