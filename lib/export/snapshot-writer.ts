import type { Snapshot } from '../series/snapshot.ts'

/** Writes snapshots in one format. */
export interface SnapshotWriter {
  /** A snapshot in slices, so that the caller decides when the event loop gets its turn; an empty one is work with nothing to hand out yet. */
  slices (snapshot: Snapshot): Generator<Buffer, void, void>
}

/** Bytes below which neighbours are joined, so that many small metrics do not make many small writes. */
const SLICE_BYTES = 32_768

/** Chunks as slices of a size that is worth a write; empty ones stay, where they are. */
export function * toSlices (chunks: Iterable<Buffer>): Generator<Buffer, void, void> {
  let pending: Buffer[] = []
  let bytes = 0
  for (const chunk of chunks) {
    if (chunk.length === 0) {
      yield chunk
      continue
    }
    pending.push(chunk)
    bytes += chunk.length
    if (bytes < SLICE_BYTES) continue
    yield pending.length === 1 ? chunk : Buffer.concat(pending, bytes)
    pending = []
    bytes = 0
  }
  yield Buffer.concat(pending, bytes)
}
