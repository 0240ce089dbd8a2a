import type { ShownNames } from '../options.ts'
import type { Attributes } from '../series/otlp-identity.ts'
import type { FamilySnapshot, Snapshot } from '../series/snapshot.ts'
import type { Clash } from './join-families.ts'
import { joinFamilies } from './join-families.ts'
import { ScopelessView } from './scopeless.ts'
import { SemconvView } from './semconv.ts'
import { withoutAddedTotal } from './totalless.ts'

const WHAT: Readonly<Record<Clash, string>> = { name: '', help: 'the help text of ', unit: 'the unit of ', series: 'some series of ' }
const WHY: Readonly<Record<Clash, string>> = { name: 'that name already', help: 'another one', unit: 'another one', series: 'the same labels' }

/** How a scrape sees a snapshot: under which names, each once. What cannot be shown is reported once. */
export function createView (names: ShownNames, resource: Attributes | undefined, warn: (message: string) => void): (snapshot: Snapshot) => Snapshot {
  const renamed = createRenaming(names, resource ?? {})
  const reported = new Set<string>()
  const tell = (clash: Clash, left: FamilySnapshot, shown: FamilySnapshot): void => {
    const key = `${WHAT[clash]}${left.type} ${left.name} of ${ownerOf(left)}`
    if (reported.has(key)) return
    reported.add(key)
    warn(`Prometheus is not shown ${key}: ${shown.type} ${shown.name} of ${ownerOf(shown)} has ${WHY[clash]}`)
  }
  return snapshot => joinFamilies(renamed(snapshot), tell)
}

function createRenaming (names: ShownNames, resource: Attributes): (snapshot: Snapshot) => Snapshot {
  if (names.naming === 'semconv') {
    const semconv = new SemconvView(resource, names)
    return snapshot => semconv.of(snapshot)
  }
  const scopeless = names.scopeLabels ? undefined : new ScopelessView()
  return snapshot => {
    const labelled = scopeless === undefined ? snapshot : scopeless.of(snapshot)
    return names.totalSuffix ? labelled : withoutAddedTotal(labelled)
  }
}

function ownerOf ({ scope }: FamilySnapshot): string {
  return scope?.name ?? 'this plugin'
}
