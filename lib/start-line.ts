import { describeTarget } from './export/describe-target.ts'
import type { ResolvedOptions } from './options.ts'

/** Said instead where nothing would show what is recorded. */
export const NO_WAY_OUT = 'nothing is recorded: there is neither an endpoint nor a push nor a registry or bridge to share. enabled: true records all the same, for render(), read() and promRegistry'

/** One line that says what is on; no secret is in it. */
export function startLine ({ endpoint, path, auth, listen, otlp, naming, scopeLabels, totalSuffix, limits, registries, meters, exemplars }: ResolvedOptions): string {
  const parts = [endpoint ? `metrics at ${listen === undefined ? '' : `${listen.host}:${listen.port}`}${path} (${describeAuth(auth)})` : 'no endpoint']
  for (const target of otlp.targets) {
    parts.push(`pushed to ${describeTarget(target, otlp)}${target === 'otlp' ? ` as ${otlp.protocol}` : ''} every ${otlp.intervalMs} ms${otlp.isDelta ? ' as deltas' : ''}`)
  }
  if (otlp.targets.length === 0) parts.push('no push')
  parts.push(`naming ${[naming, !scopeLabels && 'without scope labels', !totalSuffix && 'without added _total'].filter(part => part !== false).join(' ')}`, `at most ${limits.series} series, ${limits.seriesPerMetric} for each metric`)
  if (registries.length > 0) parts.push(`${registries.length} prom-client ${registries.length === 1 ? 'registry' : 'registries'} joined`)
  if (meters !== false) parts.push('OpenTelemetry meters joined')
  if (exemplars) parts.push('exemplars')
  return parts.join('; ')
}

function describeAuth (auth: ResolvedOptions['auth']): string {
  if (auth === false) return 'open to everybody'
  const ways = [auth.bearer.length > 0 && 'bearer', auth.basic.length > 0 && 'basic', auth.custom !== undefined && 'custom', auth.allow.length > 0 && 'allowed addresses']
  return ways.filter(way => way !== false).join(', ')
}
