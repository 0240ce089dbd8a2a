import type { BinaryWriter } from '@bufbuild/protobuf/wire'
import type { BankSnapshot, FamilySnapshot, Snapshot } from '../series/snapshot.ts'
import { shownUnit } from './dialect.ts'
import type { NativeBuckets } from './native-histogram.ts'
import { toNativeBuckets } from './native-histogram.ts'
import { BankMessages } from './protobuf-bank.ts'
import { TYPE_NUMBER } from './protobuf-data.ts'
import { writeLabel, writeText, writeWhole } from './protobuf-fields.ts'
import type { SnapshotWriter } from './snapshot-writer.ts'
import { toSlices } from './snapshot-writer.ts'

/** A bank that is shown, with its native buckets where it has such. */
interface ShownBank {
  readonly bank: BankSnapshot
  readonly native: NativeBuckets | undefined
}

const WORK = Buffer.alloc(0)

/**
 * Writes snapshots as Prometheus' protobuf exposition (client_model, io/prometheus/client/metrics.proto): a MetricFamily for
 * each metric, each with its length before it, so that a metric is written in full before its first byte is handed out.
 */
export class ProtobufWriter implements SnapshotWriter {
  readonly #writer: BinaryWriter
  readonly #warn: (message: string) => void
  readonly #families = new Map<string, { readonly head: Buffer, readonly banks: BankMessages[] }>()
  readonly #warned = new Set<string>()
  #constantLabels: Uint8Array | undefined

  constructor (writer: BinaryWriter, warn: (message: string) => void) {
    this.#writer = writer
    this.#warn = warn
  }

  slices (snapshot: Snapshot): Generator<Buffer, void, void> {
    return toSlices(this.#chunks(snapshot))
  }

  * #chunks ({ constantLabels, families }: Snapshot): Generator<Buffer, void, void> {
    this.#constantLabels ??= this.#labelsOf(constantLabels)
    for (const family of families) {
      if (family.isHidden === true) continue
      const shown = this.#shownBanks(family)
      if (shown.length === 0) continue
      const { head, banks } = this.#messagesOf(family)
      const chunks = [head]
      let length = head.length
      for (const [i, { bank, native }] of shown.entries()) {
        banks[i] ??= new BankMessages(this.#writer)
        for (const chunk of banks[i].chunks({ family, bank, native, constantLabels: this.#constantLabels })) {
          chunks.push(chunk)
          length += chunk.length
          yield WORK
        }
      }
      yield Buffer.from(this.#writer.uint32(length).finish().buffer)
      yield * chunks
    }
  }

  /**
   * The banks that have series and can be shown. One metric is native in all its series or in none, as Prometheus looks at the
   * first to tell; all are shown with their fixed buckets as well, for whoever asks for this format but takes no native ones.
   */
  #shownBanks (family: FamilySnapshot): ShownBank[] {
    const filled = family.banks.filter(bank => bank.series.length > 0)
    if (filled.some(bank => bank.exponential === undefined)) return filled.map(bank => ({ bank, native: undefined }))
    return filled.flatMap(bank => {
      const native = toNativeBuckets(bank.exponential!)
      if (native === undefined) this.#report(family, bank.exponential!.scale)
      return native === undefined ? [] : [{ bank, native }]
    })
  }

  #report ({ name, scope }: FamilySnapshot, scale: number): void {
    const key = `some series of histogram ${name} of ${scope!.name}`
    if (this.#warned.has(key)) return
    this.#warned.add(key)
    this.#warn(`Prometheus is not shown ${key} over protobuf: a native histogram has a scale from -4 on, got: ${scale}. The text formats show them`)
  }

  #messagesOf (family: FamilySnapshot): { readonly head: Buffer, readonly banks: BankMessages[] } {
    let messages = this.#families.get(family.name)
    if (messages === undefined) this.#families.set(family.name, messages = { head: this.#headOf(family), banks: [] })
    return messages
  }

  #headOf (family: FamilySnapshot): Buffer {
    const unit = family.type === 'info' ? undefined : shownUnit(family)
    writeText(this.#writer, 1, family.name)
    writeText(this.#writer, 2, family.help.toWellFormed())
    writeWhole(this.#writer, 3, TYPE_NUMBER[family.type])
    if (unit !== undefined) writeText(this.#writer, 5, unit)
    return Buffer.from(this.#writer.finish().buffer)
  }

  #labelsOf (labels: Readonly<Record<string, string>>): Uint8Array {
    for (const [name, value] of Object.entries(labels)) writeLabel(this.#writer, name, value)
    return this.#writer.finish()
  }
}
