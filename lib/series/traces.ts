/** A trace and span as the labels of an exemplar. */
export type TraceLabels = Readonly<Record<'trace_id' | 'span_id', string>>

/** Which trace a record belongs to: that of the moment, or one that was noted before. */
export class Traces {
  readonly #read: () => TraceLabels | undefined
  #held: TraceLabels | undefined
  #isHeld = false

  constructor (read: () => TraceLabels | undefined) {
    this.#read = read
  }

  active (): TraceLabels | undefined {
    return this.#isHeld ? this.#held : this.#read()
  }

  /** What is recorded until the release belongs to this trace, or to none. */
  hold (trace: TraceLabels | undefined): void {
    this.#held = trace
    this.#isHeld = true
  }

  release (): void {
    this.#held = undefined
    this.#isHeld = false
  }
}
