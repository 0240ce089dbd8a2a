import { claimedNames } from '../series/names.ts'
import type { FamilySnapshot, Snapshot } from '../series/snapshot.ts'
import { uniteBanks } from './unite-banks.ts'

/** What of a metric cannot be shown beside another: all of it, its metadata, or series that have the same labels there. */
export type Clash = 'name' | 'help' | 'unit' | 'series'

/** Told of a metric that cannot be shown as it is, and of the one that is shown under that name. */
export type OnClash = (clash: Clash, left: FamilySnapshot, shown: FamilySnapshot) => void

/**
 * A snapshot in which each name stands once, and each label set of a name. Metrics of one name and type that came from
 * OpenTelemetry, or are shown under its names, become one; of two that differ in type, the first is shown (compatibility
 * specification, "Metric Metadata").
 */
export function joinFamilies (snapshot: Snapshot, onClash: OnClash): Snapshot {
  const joined = new Map<string, FamilySnapshot>()
  const owners = new Map<string, FamilySnapshot>()
  for (const family of snapshot.families) {
    if (family.isHidden === true) continue
    const same = joined.get(family.name)
    if (same !== undefined && isOne(same, family)) {
      joined.set(family.name, join(same, family, onClash))
      continue
    }
    const samples = claimedNames(family.name, family.type)
    const owner = samples.map(sample => owners.get(sample)).find(other => other !== undefined)
    if (owner !== undefined) {
      onClash('name', family, owner)
      continue
    }
    for (const sample of samples) owners.set(sample, family)
    joined.set(family.name, family)
  }
  return { ...snapshot, families: [...joined.values()] }
}

/** What an application records may have the name of the resource's own info; that has nobody else's labels. */
function isOne (shown: FamilySnapshot, family: FamilySnapshot): boolean {
  return shown.type === family.type && shown.isSemconv === family.isSemconv && (shown.scope ?? family.scope) !== undefined
}

function join (shown: FamilySnapshot, family: FamilySnapshot, onClash: OnClash): FamilySnapshot {
  if (shown.help !== family.help) onClash('help', family, shown)
  if (shown.unit !== family.unit) onClash('unit', family, shown)
  const banks = uniteBanks([...shown.banks, ...family.banks], isAdditive(shown) && isAdditive(family), ({ text }) => text, () => {
    // Whoever states an info, it says the same.
    if (shown.type !== 'info') onClash('series', family, shown)
  })
  return { ...shown, banks }
}

/** Whether two values are one as their sum: not so of levels, and of quantiles. */
function isAdditive ({ type, otlp }: FamilySnapshot): boolean {
  return type === 'counter' || type === 'histogram' || (type === 'gauge' && otlp !== false && otlp?.isUpDown === true)
}
