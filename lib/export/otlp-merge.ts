import type { SeriesIdentity } from '../series/snapshot.ts'
import { attributesOf } from './otlp-attributes.ts'
import type { OtlpBank, OtlpFamily, OtlpKind } from './otlp-view.ts'
import { uniteBanks } from './unite-banks.ts'

/** Kinds of which two values of one attribute set are their sum. */
const ADDITIVE: readonly OtlpKind[] = ['sum', 'updown', 'histogram']

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
  // An info that two of them state is one.
  const isAdditive = ADDITIVE.includes(first.kind) && first.origin.type !== 'info'
  const banks = uniteBanks(group.flatMap(({ banks }) => banks), isAdditive, attributeKey)
  return { ...first, isInteger: group.every(({ isInteger }) => isInteger), banks }
}

const knownKeys = new WeakMap<SeriesIdentity, string>()

function attributeKey (series: SeriesIdentity, { toAttributes }: OtlpBank): string {
  let key = knownKeys.get(series)
  if (key === undefined) {
    const attributes = attributesOf(series, toAttributes)
    knownKeys.set(series, key = JSON.stringify(Object.keys(attributes).sort().map(name => [name, attributes[name]])))
  }
  return key
}
