/** A trace and span as the labels of an exemplar. */
export type TraceLabels = Readonly<Record<'trace_id' | 'span_id', string>>

/** Where traces are read. */
export interface TraceSource {
  /** The trace of the moment, if there is one and it is sampled. */
  readonly read: () => TraceLabels | undefined
  /** Whether anything can have a trace. */
  readonly canTrace: () => boolean
  /** Calls back after a while, and keeps nothing alive for it. */
  readonly rest: (wake: () => void) => void
}

/** Whether anything in this process can have a trace. Once it can, that stays so. */
let isTracing = false
const beginnings: (() => void)[] = []

/** Has something done as soon as anything can have a trace: until then a store that keeps exemplars records like one that keeps none. */
export function whenTracing (begin: () => void): void {
  beginnings.push(begin)
}

/** Whether records belong to a trace that was noted before: then they are offered, whoever asks or not. */
export let isTraceHeld = false

/** Which trace records belong to: that of the moment, or one that was noted before. */
export class Traces {
  readonly source: TraceSource
  isHeld = false
  held: TraceLabels | undefined = undefined

  constructor (source: TraceSource) {
    this.source = source
    this.look()
  }

  /** Whether anything can have a trace; looks until it can. */
  look (): boolean {
    if (!isTracing && this.source.canTrace()) {
      isTracing = true
      for (const begin of beginnings) begin()
    }
    return isTracing
  }
}

/** So often a place asks in vain before it rests. */
const ASKS = 256

const resting: TraceAsker[] = []

/** Has every place ask again that rests. */
export function askAgain (): void {
  for (const asker of resting.splice(0)) asker.isAsking = true
}

/** One place that asks which trace is active, and rests while there is none: a question takes as long as ten records. */
export class TraceAsker {
  isAsking = true
  readonly #traces: Traces
  /** Questions since anything was traced. */
  #vain = 0

  constructor (traces: Traces) {
    this.#traces = traces
  }

  active (): TraceLabels | undefined {
    const traces = this.#traces
    if (traces.isHeld) return traces.held
    return this.isAsking && isTracing ? this.#ask(traces.source) : undefined
  }

  #ask (source: TraceSource): TraceLabels | undefined {
    const trace = source.read()
    if (trace !== undefined) this.#vain = 0
    else if (++this.#vain === ASKS) this.#rest(source)
    return trace
  }

  #rest (source: TraceSource): void {
    this.isAsking = false
    this.#vain = 0
    if (resting.push(this) === 1) source.rest(askAgain)
  }

  /** What is recorded anywhere until the release belongs to this trace, or to none. */
  hold (trace: TraceLabels | undefined): void {
    this.#traces.held = trace
    this.#traces.isHeld = true
    isTraceHeld = trace !== undefined
  }

  release (): void {
    this.#traces.held = undefined
    this.#traces.isHeld = false
    isTraceHeld = false
  }
}
