import type { OtlpIdentity, Scope } from '../series/otlp-identity.ts'
import type { BankSnapshot, FamilySnapshot, Snapshot } from '../series/snapshot.ts'
import { mergeOtlpFamilies } from './otlp-merge.ts'
import { splitBanks } from './otlp-split.ts'

/** The kinds of data that OpenTelemetry knows, and the summary, which its SDK does not. */
export type OtlpKind = 'sum' | 'updown' | 'gauge' | 'histogram' | 'exponential' | 'summary'

/** Series and how their labels become attributes. */
export interface OtlpBank extends BankSnapshot {
  readonly toAttributes: OtlpIdentity['toAttributes']
}

/** A metric under its OpenTelemetry name. */
export interface OtlpFamily {
  readonly name: string
  readonly description: string
  /** UCUM; empty where there is none. */
  readonly unit: string
  readonly kind: OtlpKind
  readonly isInteger: boolean
  readonly scope: Scope | undefined
  readonly banks: readonly OtlpBank[]
  /** What the store or its source calls it. */
  readonly origin: FamilySnapshot
}

/** Prometheus' words for units, in UCUM. */
const UCUM: Readonly<Record<string, string>> = { seconds: 's', bytes: 'By', ratio: '1', celsius: 'Cel', watts: 'W', volts: 'V', amperes: 'A', joules: 'J', grams: 'g', meters: 'm', hertz: 'Hz' }

/**
 * A snapshot as OpenTelemetry names it, each metric once: what another one holds already is left out, what was split or is part
 * of one is put together.
 */
export function toOtlpFamilies ({ families }: Snapshot): OtlpFamily[] {
  const splitters = new Map<string, FamilySnapshot>()
  for (const family of families) {
    const splits = identityOf(family)?.splits
    if (splits !== undefined) splitters.set(splits.metric, family)
  }
  const named: OtlpFamily[] = []
  for (const family of families) {
    const identity = identityOf(family)
    if (family.otlp === false || identity?.splits !== undefined) continue
    const splitter = splitters.get(family.name)
    const banks = splitter === undefined ? family.banks : splitBanks(family.banks, splitter.banks, identityOf(splitter)!.splits!.label)
    if (banks.every(bank => bank.series.length === 0)) continue
    named.push({
      name: identity?.name ?? family.name,
      description: family.help,
      unit: identity === undefined ? toUcum(family.unit) : identity.unit ?? '',
      kind: kindOf(family, identity),
      isInteger: identity?.isInteger ?? false,
      scope: family.scope,
      banks: banks.map(bank => ({ ...bank, toAttributes: identity?.toAttributes })),
      origin: family
    })
  }
  return mergeOtlpFamilies(named)
}

function identityOf ({ otlp }: FamilySnapshot): OtlpIdentity | undefined {
  return otlp === false ? undefined : otlp
}

function toUcum (unit: string | undefined): string {
  return unit === undefined ? '' : UCUM[unit] ?? unit
}

function kindOf ({ type, banks }: FamilySnapshot, identity: OtlpIdentity | undefined): OtlpKind {
  switch (type) {
    case 'counter': return 'sum'
    // An info is a count of things that are so (compatibility specification, "Info").
    case 'info': return 'updown'
    case 'gauge': return identity?.isUpDown === true ? 'updown' : 'gauge'
    case 'histogram': return banks.some(bank => bank.exponential !== undefined) ? 'exponential' : 'histogram'
    default: return 'summary'
  }
}
