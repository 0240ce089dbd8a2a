// One peer in a process of its own: `node worker.js <peer>`. Told over IPC what to do; answers with what it measured.
import { setImmediate as turn } from 'node:timers/promises'
import { peers } from './peers/index.js'
import { labelSets, requests } from './workload.js'

const peer = peers[process.argv[2]]
let record
let store

const tasks = {
  /** CPU microseconds of one request's recording, over `count` of them. */
  async record ({ count }) {
    record ??= await peer.createRecorder()
    const before = process.cpuUsage()
    recordMany(count)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / count
  },

  /** Bytes allocated on the heap by one request's recording; the young generation is large enough for no collection to run. */
  async allocation ({ count }) {
    record ??= await peer.createRecorder()
    globalThis.gc()
    const start = process.memoryUsage().heapUsed
    const before = process.memoryUsage().heapUsed
    recordMany(count)
    const ofAsking = before - start
    return (process.memoryUsage().heapUsed - before - ofAsking) / count
  },

  async fill ({ lines }) {
    store = await peer.createStore(lines)
    touch(1)
    const bytes = await store.scrape()
    return { series: store.size, bytes }
  },

  /** Milliseconds from asking for the text to having its bytes, after one in `every` series was touched. */
  async scrape ({ every, times }) {
    const took = []
    for (let i = 0; i < times; i++) {
      touch(every)
      await turn()
      const elapsed = stopwatch()
      await store.scrape()
      took.push(elapsed())
    }
    return took
  },

  /** The longest the event loop went without a turn during a scrape. */
  async block () {
    touch(1)
    globalThis.gc()
    await turn()
    const sampler = sampleTurns()
    await store.scrape()
    return sampler.stop()
  },

  /** Heap and external bytes held for `lines` lines: filled, and after a scrape. */
  async heap ({ lines }) {
    labelSets(lines)
    const warm = await peer.createStore(100)
    for (let i = 0; i < warm.size; i++) warm.touch(i)
    await warm.scrape()
    const before = await heldBytes()
    store = await peer.createStore(lines)
    touch(1)
    const filled = await heldBytes() - before
    await store.scrape()
    const scraped = await heldBytes() - before
    return { filled, scraped }
  }
}

function recordMany (count) {
  for (let i = 0; i < count; i++) record(requests[i & 1023])
}

function touch (every) {
  for (let i = 0; i < store.size; i += every) store.touch(i)
}

async function heldBytes () {
  for (let i = 0; i < 3; i++) {
    await turn()
    globalThis.gc()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function sampleTurns () {
  let longest = 0
  let elapsed = stopwatch()
  let next = setImmediate(sample)

  function sample () {
    longest = Math.max(longest, elapsed())
    elapsed = stopwatch()
    next = setImmediate(sample)
  }

  return {
    stop () {
      sample()
      clearImmediate(next)
      return longest
    }
  }
}

/** Milliseconds since, without those that the machine gave to other processes: the lesser of clock and CPU time. */
function stopwatch () {
  const started = process.cpuUsage()
  const start = performance.now()
  return () => {
    const wall = performance.now() - start
    const { user, system } = process.cpuUsage(started)
    return Math.min(wall, (user + system) / 1000)
  }
}

process.on('disconnect', () => process.exit())
process.on('message', async ({ task, ...args }) => {
  process.send({ result: await tasks[task](args) })
})
process.send({ result: 'ready' })
