import type { BinaryWriter } from '@bufbuild/protobuf/wire'

/** Opens a message within another; `join()` of the writer closes it. */
export function openMessage (writer: BinaryWriter, field: number): BinaryWriter {
  return writer.uint32(field << 3 | 2).fork()
}

export function writeDouble (writer: BinaryWriter, field: number, value: number): void {
  writer.uint32(field << 3 | 1).double(value)
}

/** A whole number that is not negative. */
export function writeWhole (writer: BinaryWriter, field: number, value: number): void {
  writer.uint32(field << 3)
  // Both write the same bytes; the second takes ten times as long.
  if (value <= 0xffff_ffff) writer.uint32(value)
  else writer.uint64(value)
}

/** A count: where it is not whole, as what joins from elsewhere may be, in a field of its own if there is one. */
export function writeCount (writer: BinaryWriter, field: number, value: number, floatField?: number): void {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 64) writeWhole(writer, field, value)
  else if (floatField !== undefined) writeDouble(writer, floatField, value)
}

export function writeText (writer: BinaryWriter, field: number, text: string): void {
  writer.uint32(field << 3 | 2).string(text)
}

/** A LabelPair. */
export function writeLabel (writer: BinaryWriter, name: string, value: string): void {
  openMessage(writer, 1)
  writeText(writer, 1, name)
  writeText(writer, 2, value)
  writer.join()
}

/** A google.protobuf.Timestamp, from ms since the epoch; nothing where they are none. */
export function writeTimestamp (writer: BinaryWriter, field: number, ms: number): void {
  if (!(ms >= 0 && ms <= Number.MAX_SAFE_INTEGER)) return
  const seconds = Math.floor(ms / 1_000)
  openMessage(writer, field)
  writeWhole(writer, 1, seconds)
  writeWhole(writer, 2, Math.min(999_999_999, Math.round((ms - seconds * 1_000) * 1e6)))
  writer.join()
}
