const FIRST_BYTES = 131_072
/** A number needs no more: `-1.2345678901234567e-308`. */
const NUMBER_BYTES = 32

/** Decimal digits of a whole number from 0 to 2^53; 0 for every other. */
export function digitsOf (value: number): number {
  if (value < 10) return value >= 0 && Number.isInteger(value) ? 1 : 0
  if (!Number.isSafeInteger(value)) return 0
  let digits = 2
  for (let limit = 100; value >= limit; limit *= 10) digits++
  return digits
}

/** A sample value: what JavaScript prints is what Go's ParseFloat reads, but for the infinities. */
export function toSampleValue (value: number): string {
  return value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value)
}

/** Puts bytes together: runs copied from a source, with numbers and texts between. */
export class ByteWriter {
  #target = Buffer.allocUnsafeSlow(FIRST_BYTES)
  #source: Buffer = Buffer.alloc(0)
  /** How far the source was copied or left out. */
  copied = 0
  /** How much was written. */
  position = 0

  /** Starts anew, with the bytes that {@link copyTo} takes from. */
  start (source: Buffer): void {
    this.#source = source
    this.copied = 0
    this.position = 0
  }

  /** Copies the source from where it stands up to `end`. */
  copyTo (end: number): void {
    const length = end - this.copied
    if (length <= 0) return
    this.#reserve(length)
    this.#source.copy(this.#target, this.position, this.copied, end)
    this.position += length
    this.copied = end
  }

  /** Leaves the source out from where it stands up to `end`. */
  skipTo (end: number): void {
    this.copied = end
  }

  text (text: string): void {
    this.#reserve(text.length * 3)
    this.position += this.#target.write(text, this.position)
  }

  number (value: number): void {
    this.#reserve(NUMBER_BYTES)
    if (digitsOf(value) > 0) this.position = this.integer(value, this.position)
    else this.position += this.#target.write(toSampleValue(value), this.position, 'latin1')
  }

  /** Writes a whole number over what stands at a position, and returns where it ends. */
  integer (value: number, at: number): number {
    const target = this.#target
    const end = at + digitsOf(value)
    let i = end
    let rest = value
    while (rest > 0x7fff_ffff) {
      const tenth = Math.floor(rest / 10)
      target[--i] = 48 + rest - tenth * 10
      rest = tenth
    }
    let whole = rest | 0
    do {
      const tenth = (whole / 10) | 0
      target[--i] = 48 + whole - tenth * 10
      whole = tenth
    } while (i > at)
    return end
  }

  /** All that was written, in a buffer of its own. */
  finish (): Buffer {
    const bytes = Buffer.allocUnsafeSlow(this.position)
    this.#target.copy(bytes, 0, 0, this.position)
    return bytes
  }

  #reserve (bytes: number): void {
    if (this.position + bytes <= this.#target.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#target.length * 2, this.position + bytes))
    this.#target.copy(grown, 0, 0, this.position)
    this.#target = grown
  }
}
