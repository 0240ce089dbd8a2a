/** Bytes in a slice: writing one takes well under a millisecond. */
const SLICE_BYTES = 65_536

/** Room for a number: the longest that JavaScript prints is 24 characters. */
export const NUMBER_BYTES = 25

/**
 * Bytes written one after the other into slices. Text comes as binary strings: one character for each byte of UTF-8, so
 * that what was written once is kept in half the memory of a Buffer and written again by a copy.
 */
export class ByteWriter {
  bytes = Buffer.allocUnsafeSlow(SLICE_BYTES)
  at = 0

  /** Whether so many more bytes fit; if not, take the slice first. An empty slice is made as large as needed. */
  fits (length: number): boolean {
    if (this.at + length <= this.bytes.length) return true
    if (this.at > 0) return false
    this.bytes = Buffer.allocUnsafeSlow(length)
    return true
  }

  /** What was written since the last slice. */
  take (): Buffer {
    const slice = this.bytes.subarray(0, this.at)
    this.bytes = Buffer.allocUnsafeSlow(SLICE_BYTES)
    this.at = 0
    return slice
  }

  /** A short binary string. */
  text (text: string): void {
    const { bytes } = this
    let { at } = this
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i)
    this.at = at
  }

  /** A long binary string. */
  block (text: string): void {
    this.at += this.bytes.write(text, this.at, 'latin1')
  }

  /** Bytes written before, again. */
  repeat (from: number, to: number): void {
    const { bytes } = this
    let { at } = this
    for (let i = from; i < to; i++) bytes[at++] = bytes[i]!
    this.at = at
  }

  /** A sample value: what JavaScript prints is what Go's ParseFloat reads, but for the infinities. */
  number (value: number): void {
    if (value >>> 0 !== value || Object.is(value, -0)) return this.text(value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value))
    const { bytes } = this
    const start = this.at
    let digits = 1
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++
    let rest = value
    for (let i = start + digits - 1; i >= start; i--) {
      const tens = Math.floor(rest / 10)
      bytes[i] = 48 + rest - tens * 10
      rest = tens
    }
    this.at = start + digits
  }

  /** What was written from an offset on, as a binary string. */
  since (from: number): string {
    return this.bytes.toString('latin1', from, this.at)
  }
}

/** The binary string of a text. */
export function toBinary (text: string): string {
  return /[^ -~\n]/.test(text) ? Buffer.from(text).toString('latin1') : text
}
