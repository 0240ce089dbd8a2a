import type { RowExemplars, SeriesIdentity } from '../series/snapshot.ts'
import { attributesOf } from './otlp-attributes.ts'
import { selectRows } from './otlp-split.ts'
import type { OtlpBank, OtlpFamily, OtlpKind } from './otlp-view.ts'

/** Kinds of which two values of one attribute set are their sum. */
const ADDITIVE: readonly OtlpKind[] = ['sum', 'updown', 'histogram']

interface Place {
  readonly cells: Float64Array
  readonly row: number
  readonly stride: number
  readonly exemplars: Map<number, RowExemplars>
}

/**
 * Each metric once: OpenTelemetry knows one by its scope, name, unit and kind, and several families of the store may be parts
 * of one. An attribute set that two of them have is their sum, or what the first of them says where sums mean nothing.
 */
export function mergeOtlpFamilies (families: readonly OtlpFamily[]): OtlpFamily[] {
  const groups = new Map<string, [OtlpFamily, ...OtlpFamily[]]>()
  for (const family of families) {
    const { scope, name, unit, kind, origin } = family
    const key = JSON.stringify([scope?.name, scope?.version, scope?.schemaUrl, name, unit, kind, origin.type === 'info'])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [family])
    else group.push(family)
  }
  return [...groups.values()].map(unite)
}

function unite (group: readonly [OtlpFamily, ...OtlpFamily[]]): OtlpFamily {
  const [first] = group
  if (group.length === 1) return first
  const banks = uniteBanks(group.flatMap(({ banks }) => banks), ADDITIVE.includes(first.kind))
  return { ...first, isInteger: group.every(({ isInteger }) => isInteger), banks }
}

function uniteBanks (banks: readonly OtlpBank[], isAdditive: boolean): OtlpBank[] {
  const places = new Map<string, Place>()
  const united = banks.map(bank => {
    const { stride, toAttributes } = bank
    const cells = bank.cells.slice()
    const exemplars = new Map(bank.exemplars)
    const rows: number[] = []
    bank.series.forEach((series, row) => {
      const key = attributeKey(series, toAttributes)
      const place = places.get(key)
      if (place === undefined) {
        places.set(key, { cells, row, stride, exemplars })
        rows.push(row)
      } else if (isAdditive && place.stride === stride) {
        add(place, cells, row)
        if (exemplars.has(row)) place.exemplars.set(place.row, latest(place.exemplars.get(place.row) ?? [], exemplars.get(row)!))
      }
    })
    return { bank: { ...bank, cells }, exemplars, rows }
  })
  return united.map(({ bank, exemplars, rows }) => ({
    ...selectRows({ ...bank, exemplars: exemplars.size > 0 ? exemplars : undefined }, rows),
    toAttributes: bank.toAttributes
  }))
}

/** Both count since the earlier of their beginnings. */
function add ({ cells, row, stride }: Place, more: Float64Array, moreRow: number): void {
  const [at, moreAt] = [row * stride, moreRow * stride]
  for (let i = 0; i < stride - 1; i++) cells[at + i]! += more[moreAt + i]!
  cells[at + stride - 1] = Math.min(cells[at + stride - 1]!, more[moreAt + stride - 1]!)
}

/** For each bucket, the exemplar that was recorded last. */
function latest (a: RowExemplars, b: RowExemplars): RowExemplars {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => (a[i]?.timestampMs ?? -1) >= (b[i]?.timestampMs ?? -1) ? a[i] : b[i])
}

const knownKeys = new WeakMap<SeriesIdentity, string>()

function attributeKey (series: SeriesIdentity, toAttributes: OtlpBank['toAttributes']): string {
  let key = knownKeys.get(series)
  if (key === undefined) {
    const attributes = attributesOf(series, toAttributes)
    knownKeys.set(series, key = JSON.stringify(Object.keys(attributes).sort().map(name => [name, attributes[name]])))
  }
  return key
}
