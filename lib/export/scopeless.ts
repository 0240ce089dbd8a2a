import { labelText } from '../series/labels.ts'
import { toScopeLabels } from '../series/otel-names.ts'
import type { FamilySnapshot, SeriesIdentity, Snapshot } from '../series/snapshot.ts'

const SCOPE_LABELS = Object.keys(toScopeLabels({ name: '', version: '', schemaUrl: '' }))

/** Snapshots without the labels by which series of OpenTelemetry meters say who recorded them. */
export class ScopelessView {
  readonly #known = new WeakMap<SeriesIdentity, SeriesIdentity>()

  of (snapshot: Snapshot): Snapshot {
    return { ...snapshot, families: snapshot.families.map(family => family.scope === undefined ? family : this.#strip(family)) }
  }

  #strip (family: FamilySnapshot): FamilySnapshot {
    return { ...family, banks: family.banks.map(bank => ({ ...bank, series: bank.series.map(series => this.#identityOf(series)) })) }
  }

  #identityOf (series: SeriesIdentity): SeriesIdentity {
    let identity = this.#known.get(series)
    if (identity === undefined) {
      const kept = series.names.map((name, i) => [name, series.values[i]!] as const).filter(([name]) => !SCOPE_LABELS.includes(name))
      const [names, values] = [kept.map(([name]) => name), kept.map(([, value]) => value)]
      this.#known.set(series, identity = { names, values, text: labelText(names, values) })
    }
    return identity
  }
}
