import type { Attributes } from '../series/otlp-identity.ts'
import type { FamilySnapshot, Snapshot } from '../series/snapshot.ts'
import { joinFamilies } from './join-families.ts'
import { SemconvView } from './semconv.ts'

/** How the text formats see a snapshot: under which names, each once. What cannot be shown is reported once. */
export function createView (naming: 'prometheus' | 'semconv', resource: Attributes | undefined, warn: (message: string) => void): (snapshot: Snapshot) => Snapshot {
  const semconv = naming === 'semconv' ? new SemconvView(resource ?? {}) : undefined
  const reported = new Set<string>()
  const tell = (what: string, left: FamilySnapshot, shown: FamilySnapshot, why: string): void => {
    const key = `${what}${left.type} ${left.name} of ${ownerOf(left)}`
    if (reported.has(key)) return
    reported.add(key)
    warn(`Prometheus is not shown ${key}: ${shown.type} ${shown.name} of ${ownerOf(shown)} has ${why}`)
  }
  return snapshot => joinFamilies(
    semconv === undefined ? snapshot : semconv.of(snapshot),
    (left, shown) => tell('', left, shown, 'that name already'),
    (left, shown) => tell('the help text of ', left, shown, 'another one')
  )
}

function ownerOf ({ scope }: FamilySnapshot): string {
  return scope?.name ?? 'this plugin'
}
