import type { FastifyInstance } from 'fastify'
import { parseSamples } from '../../support/samples.ts'

/** What became of checks, by endpoint and fate: `GET`s and `POST`s together, as the rate-limiter set has them. */
export type Fates = Record<string, number>

const FATE_OF: Record<string, (labels: Record<string, string>) => string> = {
  rate_limit_allowed_total: () => 'allowed',
  rate_limit_rejected_total: ({ reason }) => reason!,
  rate_limit_bypass_total: () => 'bypassed',
  rate_limit_errors_total: () => 'failed'
}

/** What the series say. */
export interface LimiterLedger {
  fates: Fates
  checks: number
  timed: number
  remaining: number
  usage: number
  /** Store calls by `store operation`. */
  storeCalls: Fates
}

export async function readLedger (app: FastifyInstance): Promise<LimiterLedger> {
  const ledger: LimiterLedger = { fates: {}, checks: 0, timed: 0, remaining: 0, usage: 0, storeCalls: {} }
  for (const { name, labels, value } of parseSamples(await app.vitals.render())) {
    const fate = FATE_OF[name]
    if (fate !== undefined) add(ledger.fates, `${labels['endpoint']}${labels['group'] ? ` ${labels['group']}` : ''} ${fate(labels)}`, value)
    else if (name === 'rate_limit_requests_total') ledger.checks += value
    else if (name === 'rate_limit_check_duration_seconds_count') ledger.timed += value
    else if (name === 'rate_limit_remaining_count') ledger.remaining += value
    else if (name === 'rate_limit_quota_usage_ratio_count') ledger.usage += value
    else if (name === 'rate_limit_store_duration_seconds_count') add(ledger.storeCalls, `${labels['store']} ${labels['operation']}`, value)
  }
  return ledger
}

export function add (fates: Fates, key: string, times = 1): void {
  fates[key] = (fates[key] ?? 0) + times
}

export function sum (fates: Fates, ...endings: string[]): number {
  return Object.entries(fates).reduce((total, [key, value]) => endings.length === 0 || endings.some(ending => key.endsWith(ending)) ? total + value : total, 0)
}
