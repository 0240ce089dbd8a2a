/** A trace and span as the labels of an exemplar. */
export type TraceLabels = Readonly<Record<'trace_id' | 'span_id', string>>

/** The trace of the moment, if there is one and it is sampled. */
export type ReadTrace = () => TraceLabels | undefined

/** Whether anything in this process can have a trace. Once it can, that stays so. */
let isTracing = false
const beginnings: (() => void)[] = []

/** Has something done as soon as anything can have a trace: until then a store that keeps exemplars records like one that keeps none. */
export function whenTracing (begin: () => void): void {
  beginnings.push(begin)
}

/** Which trace records belong to: that of the moment, or one that was noted before. */
export class Traces {
  readonly read: ReadTrace
  /** Goes up with each snapshot. */
  period = 0
  isHeld = false
  held: TraceLabels | undefined = undefined
  readonly #canTrace: () => boolean

  constructor (read: ReadTrace, canTrace: () => boolean) {
    this.read = read
    this.#canTrace = canTrace
    this.look()
  }

  /** Whether anything can have a trace; looks until it can. */
  look (): boolean {
    if (!isTracing && this.#canTrace()) {
      isTracing = true
      for (const begin of beginnings) begin()
    }
    return isTracing
  }
}

/** So often the question is asked before it is known that nothing is traced, or next to nothing; a power of two. */
const ASKS = 256

/** From then on it is asked once in so many times; a power of two. */
const RECORDS_PER_ASK = 16

/** One place that asks which trace is active, and less often while there is none: a question takes as long as ten records. */
export class TraceAsker {
  readonly #traces: Traces
  /** Times since anything was traced, in this period. */
  #vain = 0
  #period = 0

  constructor (traces: Traces) {
    this.#traces = traces
  }

  active (): TraceLabels | undefined {
    if (!isTracing) return undefined
    const traces = this.#traces
    if (traces.isHeld) return traces.held
    if (this.#period !== traces.period) {
      this.#period = traces.period
      this.#vain = 0
    }
    if (this.#vain >= ASKS && this.#vain % RECORDS_PER_ASK !== 0) {
      this.#vain++
      return undefined
    }
    const trace = traces.read()
    if (trace === undefined) this.#vain++
    else this.#vain = 0
    return trace
  }

  /** What is recorded anywhere until the release belongs to this trace, or to none. */
  hold (trace: TraceLabels | undefined): void {
    this.#traces.held = trace
    this.#traces.isHeld = true
  }

  release (): void {
    this.#traces.held = undefined
    this.#traces.isHeld = false
  }
}
