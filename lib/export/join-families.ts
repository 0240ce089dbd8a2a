import { claimedNames } from '../series/names.ts'
import type { FamilySnapshot, Snapshot } from '../series/snapshot.ts'

/** Told of a metric that cannot be shown, and of the one that is shown under that name. */
export type OnConflict = (left: FamilySnapshot, shown: FamilySnapshot) => void

/**
 * A snapshot in which each name stands once. Metrics of one name and type from different instrumentation scopes become one;
 * of two that differ in type, the first is shown and the other reported, and so is a help text that differs (compatibility
 * specification, "Metric Metadata").
 */
export function joinFamilies (snapshot: Snapshot, onConflict: OnConflict, onOtherHelp: OnConflict): Snapshot {
  const joined = new Map<string, FamilySnapshot>()
  const owners = new Map<string, FamilySnapshot>()
  for (const family of snapshot.families) {
    if (family.isHidden === true) continue
    const same = joined.get(family.name)
    if (same !== undefined && same.type === family.type && same.scope !== family.scope) {
      if (same.help !== family.help) onOtherHelp(family, same)
      joined.set(family.name, { ...same, banks: [...same.banks, ...family.banks] })
      continue
    }
    const samples = claimedNames(family.name, family.type)
    const owner = samples.map(sample => owners.get(sample)).find(other => other !== undefined)
    if (owner !== undefined) {
      onConflict(family, owner)
      continue
    }
    for (const sample of samples) owners.set(sample, family)
    joined.set(family.name, family)
  }
  return { ...snapshot, families: [...joined.values()] }
}
