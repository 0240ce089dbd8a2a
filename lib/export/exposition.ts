import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { holding } from '../holding.ts'
import type { Registry } from '../series/registry.ts'
import type { Snapshot } from '../series/snapshot.ts'
import { OPENMETRICS, PROMETHEUS } from './dialect.ts'
import type { Format, ScrapeFormat } from './format.ts'
import { ProtobufWriter } from './protobuf.ts'
import { SharedStream } from './shared-stream.ts'
import type { SnapshotWriter } from './snapshot-writer.ts'
import { TextWriter } from './text.ts'

type Warn = (message: string) => void

const WRITERS: Readonly<Record<ScrapeFormat, (warn: Warn) => Promise<SnapshotWriter>>> = {
  prometheus: async () => new TextWriter(PROMETHEUS),
  openmetrics: async () => new TextWriter(OPENMETRICS),
  // Loaded for whoever asks for it: few do.
  protobuf: async warn => new ProtobufWriter(new (await import('@bufbuild/protobuf/wire')).BinaryWriter(), warn)
}

/** How long a rendering may hold the event loop before others get their turn, in ms. */
const TURN_MS = 1

/** Age in ms past which a rendering that is still under way (its readers are slow) takes no more readers. */
const JOIN_MS = 1_000

interface Rendering {
  readonly stream: SharedStream<Buffer>
  readonly startedMs: number
  readers: number
}

/** A registry as Prometheus reads it, for any number of scrapers at a time. */
export class Exposition {
  readonly #registry: Registry
  readonly #view: (snapshot: Snapshot) => Snapshot
  readonly #warn: Warn
  readonly #writers = new Map<ScrapeFormat, Promise<SnapshotWriter>>()
  readonly #renderings = new Map<ScrapeFormat, Rendering>()

  /** What is shown is a view of each snapshot; what a format cannot show is said once. @default as it is */
  constructor (registry: Registry, view: (snapshot: Snapshot) => Snapshot = snapshot => snapshot, warn: Warn = () => {}) {
    this.#registry = registry
    this.#view = view
    this.#warn = warn
  }

  /** The bytes in chunks: one instant, written as it is read, shared by those who ask while it is being written. */
  async * scrape (format: ScrapeFormat): AsyncGenerator<Buffer, void, void> {
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

  async * #chunks (format: ScrapeFormat): AsyncGenerator<Buffer, void, void> {
    let made = this.#writers.get(format)
    if (made === undefined) this.#writers.set(format, made = WRITERS[format](this.#warn))
    const writer = await made
    // Somebody waits for it.
    const snapshot = this.#view(await holding(this.#registry.collect()))
    let turnEnds = performance.now() + TURN_MS
    for (const slice of writer.slices(snapshot)) {
      if (slice.length > 0) yield slice
      if (performance.now() >= turnEnds) {
        await setImmediate()
        turnEnds = performance.now() + TURN_MS
      }
    }
  }
}
