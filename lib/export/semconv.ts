import type { ShownNames } from '../options.ts'
import { labelText } from '../series/labels.ts'
import { toPrometheusLabels, toPrometheusName, toPrometheusUnit, toScopeLabels } from '../series/otel-names.ts'
import type { Attributes, Scope } from '../series/otlp-identity.ts'
import type { FamilySnapshot, SeriesIdentity, Snapshot, SnapshotType } from '../series/snapshot.ts'
import { attributesOf } from './otlp-attributes.ts'
import type { OtlpBank, OtlpFamily, OtlpKind } from './otlp-view.ts'
import { toOtlpFamilies } from './otlp-view.ts'
import { OWN_SCOPE } from './own-scope.ts'
import { oneOfEach } from './semconv-exemplars.ts'

const TYPE_OF: Readonly<Record<OtlpKind, SnapshotType>> = { sum: 'counter', updown: 'gauge', gauge: 'gauge', histogram: 'histogram', exponential: 'histogram', summary: 'summary' }

/** The label of the exposition's own by which it tells the samples of one series apart. */
const PART_LABEL: Partial<Record<OtlpKind, string>> = { histogram: 'le', exponential: 'le', summary: 'quantile' }

/**
 * Snapshots under OpenTelemetry's names as Prometheus shows them: what an OpenTelemetry exporter for Prometheus would show,
 * the resource as `target_info` and the scope as labels included (compatibility specification, "OTLP Metric points to
 * Prometheus").
 */
export class SemconvView {
  readonly #target: FamilySnapshot
  readonly #hasScopeLabels: boolean
  readonly #addsTotal: boolean
  readonly #known = new WeakMap<SeriesIdentity, SeriesIdentity>()

  constructor (resource: Attributes, { scopeLabels, totalSuffix }: ShownNames) {
    this.#hasScopeLabels = scopeLabels
    this.#addsTotal = totalSuffix
    const target = toIdentity(toPrometheusLabels(resource))
    this.#target = {
      name: 'target_info', help: 'Target metadata', type: 'info', unit: undefined, banks: [{ bounds: [], stride: 2, cells: Float64Array.of(1, 0), series: [target] }]
    }
  }

  of (snapshot: Snapshot): Snapshot {
    const families = toOtlpFamilies(snapshot).map(family => this.#rename(family, snapshot.constantLabels))
    return { ...snapshot, constantLabels: {}, families: this.#target.banks[0]!.series[0]!.text === '' ? families : [this.#target, ...families] }
  }

  #rename (family: OtlpFamily, constant: Readonly<Record<string, string>>): FamilySnapshot {
    const { name, unit, kind, scope = OWN_SCOPE, origin } = family
    const isInfo = origin.type === 'info'
    return {
      name: isInfo ? `${toPrometheusName(name, '', kind).replace(/_info$/, '')}_info` : toPrometheusName(name, unit, kind, { addsTotal: this.#addsTotal }),
      help: family.description,
      type: isInfo ? 'info' : TYPE_OF[kind],
      unit: isInfo ? undefined : toPrometheusUnit(unit),
      scope,
      otlp: { name, isUpDown: kind === 'updown' },
      isSemconv: true,
      isSumless: origin.isSumless,
      banks: family.banks.map(bank => ({
        ...bank,
        exemplars: oneOfEach(bank),
        series: bank.series.map(series => this.#identityOf(series, bank.toAttributes, scope, constant, PART_LABEL[kind]))
      }))
    }
  }

  #identityOf (series: SeriesIdentity, toAttributes: OtlpBank['toAttributes'], scope: Scope, constant: Readonly<Record<string, string>>, partLabel: string | undefined): SeriesIdentity {
    let identity = this.#known.get(series)
    if (identity === undefined) {
      const labels = toPrometheusLabels({ ...constant, ...attributesOf(series, toAttributes) }, this.#hasScopeLabels ? toScopeLabels(scope) : {})
      identity = toIdentity(Object.fromEntries(Object.entries(labels).map(([name, value]) => [name === partLabel ? `exported_${name}` : name, value])))
      this.#known.set(series, identity)
    }
    return identity
  }
}

function toIdentity (labels: Readonly<Record<string, string>>): SeriesIdentity {
  const [names, values] = [Object.keys(labels), Object.values(labels)]
  return { names, values, text: labelText(names, values) }
}
