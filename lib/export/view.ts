import type { Attributes } from '../series/otlp-identity.ts'
import type { Snapshot } from '../series/snapshot.ts'
import { joinFamilies } from './join-families.ts'
import { SemconvView } from './semconv.ts'

/** How the text formats see a snapshot: under which names, each once. What cannot be shown is reported once. */
export function createView (naming: 'prometheus' | 'semconv', resource: Attributes | undefined, warn: (message: string) => void): (snapshot: Snapshot) => Snapshot {
  const semconv = naming === 'semconv' ? new SemconvView(resource ?? {}) : undefined
  const reported = new Set<string>()
  return snapshot => joinFamilies(semconv === undefined ? snapshot : semconv.of(snapshot), (left, shown) => {
    const key = `${left.type} ${left.name} of ${left.scope?.name ?? 'this plugin'}`
    if (reported.has(key)) return
    reported.add(key)
    warn(`Prometheus is not shown ${key}: ${shown.type} ${shown.name} of ${shown.scope?.name ?? 'this plugin'} has that name already`)
  })
}
