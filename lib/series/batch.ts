/** How many records a batch takes before it adds them up. */
const RECORDS = 16

/** So many batches are held until somebody reads: among them may be some that nobody else knows any more. */
const MOST_UNSETTLED = 1_000

/** Which batches have something to add up: whoever reads, removes or resets series settles them first. */
export class Unsettled {
  readonly #batches: Batch[] = []

  add (batch: Batch): void {
    if (this.#batches.length >= MOST_UNSETTLED) this.settle()
    this.#batches.push(batch)
  }

  settle (): void {
    for (const batch of this.#batches.splice(0)) batch.settle()
  }
}

/**
 * Records of one kind, noted as they come and recorded sixteen at a time. A hot path that fills several series on its
 * way touches a few lines of memory so, instead of those of each series. The first of each batch is recorded at once,
 * so that series begin with it.
 */
export class Batch {
  /** What is noted, `width` numbers for each record. */
  readonly cells: Float64Array
  readonly #width: number
  readonly #record: (cells: Float64Array, at: number) => void
  readonly #unsettled: Unsettled
  #end = 0
  #isListed = false
  #isAdding = false

  /** `record` gets the place of a record's first number. Without a list each record is to be made at once. */
  constructor (width: number, record: (cells: Float64Array, at: number) => void, unsettled: Unsettled | undefined) {
    this.cells = new Float64Array(unsettled === undefined ? 0 : RECORDS * width)
    this.#width = width
    this.#record = record
    this.#unsettled = unsettled ?? new Unsettled()
  }

  /** Where to note the next record; -1 if it is to be recorded at once. */
  next (): number {
    const at = this.#end
    if (at === 0 || at === this.cells.length) return this.#begin()
    this.#end = at + this.#width
    return at
  }

  /** Records what has been noted. */
  settle (): void {
    this.#isListed = false
    this.#add()
  }

  #begin (): -1 {
    // Who is told of a record may make one.
    if (this.cells.length === 0 || this.#isAdding) return -1
    this.#add()
    this.#end = this.#width
    if (!this.#isListed) {
      this.#isListed = true
      this.#unsettled.add(this)
    }
    return -1
  }

  /** The place of the first record stays empty: that one was not noted. */
  #add (): void {
    const end = this.#end
    this.#end = 0
    this.#isAdding = true
    try {
      for (let at = this.#width; at < end; at += this.#width) this.#record(this.cells, at)
    } finally {
      this.#isAdding = false
    }
  }
}
