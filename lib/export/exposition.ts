import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import type { Registry } from '../series/registry.ts'
import type { Snapshot } from '../series/snapshot.ts'
import type { Dialect } from './dialect.ts'
import { OPENMETRICS, PROMETHEUS } from './dialect.ts'
import type { Format } from './format.ts'
import { SharedStream } from './shared-stream.ts'
import { TextWriter } from './text.ts'

const DIALECTS: Readonly<Record<Format, Dialect>> = { prometheus: PROMETHEUS, openmetrics: OPENMETRICS }

/** How long a rendering may hold the event loop before others get their turn, in ms. */
const TURN_MS = 1

/** Age in ms past which a rendering that is still under way (its readers are slow) takes no more readers. */
const JOIN_MS = 1_000

interface Rendering {
  readonly stream: SharedStream<Buffer>
  readonly startedMs: number
  readers: number
}

/** A registry as text, for any number of scrapers at a time. */
export class Exposition {
  readonly #registry: Registry
  readonly #view: (snapshot: Snapshot) => Snapshot
  readonly #writers = new Map<Format, TextWriter>()
  readonly #renderings = new Map<Format, Rendering>()

  /** What is shown is a view of each snapshot. @default as it is */
  constructor (registry: Registry, view: (snapshot: Snapshot) => Snapshot = snapshot => snapshot) {
    this.#registry = registry
    this.#view = view
  }

  /** The text as UTF-8 chunks: one instant, written as it is read, shared by those who ask while it is being written. */
  async * scrape (format: Format): AsyncGenerator<Buffer, void, void> {
    const now = performance.now()
    let rendering = this.#renderings.get(format)
    if (rendering === undefined || rendering.stream.isDone || now - rendering.startedMs > JOIN_MS) {
      rendering = { stream: new SharedStream(this.#chunks(format)), startedMs: now, readers: 0 }
      this.#renderings.set(format, rendering)
    }
    rendering.readers++
    try {
      yield * rendering.stream.read()
    } finally {
      rendering.readers--
      if (rendering.readers === 0 && this.#renderings.get(format) === rendering) this.#renderings.delete(format)
    }
  }

  /** The whole text. */
  async render (format: Format): Promise<string> {
    const chunks: Buffer[] = []
    for await (const chunk of this.scrape(format)) chunks.push(chunk)
    return Buffer.concat(chunks).toString()
  }

  async * #chunks (format: Format): AsyncGenerator<Buffer, void, void> {
    let writer = this.#writers.get(format)
    if (writer === undefined) this.#writers.set(format, writer = new TextWriter(DIALECTS[format]))
    const snapshot = this.#view(await this.#registry.collect())
    let turnEnds = performance.now() + TURN_MS
    for (const slice of writer.slices(snapshot)) {
      yield slice
      if (performance.now() >= turnEnds) {
        await setImmediate()
        turnEnds = performance.now() + TURN_MS
      }
    }
  }
}
