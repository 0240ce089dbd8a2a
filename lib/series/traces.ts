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

/** So often the question is asked before it is known that nothing is traced, or next to nothing. */
const ASKS = 256

/** From then on so many times are left out after each. */
const LEFT_OUT = 15

/** One place that asks which trace is active, and less often while there is none: a question takes as long as ten records. */
export class TraceAsker {
  readonly #traces: Traces
  /** Questions since anything was traced, in this period. */
  #vain = 0
  #leftOut = 0
  #period = -1

  constructor (traces: Traces) {
    this.#traces = traces
  }

  active (): TraceLabels | undefined {
    const traces = this.#traces
    if (traces.isHeld) return traces.held
    if (this.#leftOut > 0 && this.#period === traces.period) {
      this.#leftOut--
      return undefined
    }
    return this.#ask(traces)
  }

  #ask ({ period, read }: Traces): TraceLabels | undefined {
    if (!isTracing) return undefined
    if (this.#period !== period) this.#vain = this.#leftOut = 0
    this.#period = period
    const trace = read()
    if (trace !== undefined) this.#vain = 0
    else if (++this.#vain > ASKS) this.#leftOut = LEFT_OUT
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
