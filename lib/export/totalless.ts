import { toPrometheusName } from '../series/otel-names.ts'
import type { FamilySnapshot, Snapshot } from '../series/snapshot.ts'

/** A snapshot in which counters of OpenTelemetry meters have no `_total` that they were not named with. */
export function withoutAddedTotal (snapshot: Snapshot): Snapshot {
  return { ...snapshot, families: snapshot.families.map(family => ({ ...family, name: nameOf(family) })) }
}

function nameOf ({ name, type, scope, otlp }: FamilySnapshot): string {
  return type === 'counter' && scope !== undefined && typeof otlp === 'object' ? toPrometheusName(otlp.name, otlp.unit ?? '', 'sum', { addsTotal: false, isRatio: false }) : name
}
