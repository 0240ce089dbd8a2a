import { Check } from '../checks.ts'
import type { RowOptions } from './endpoint-rows.ts'
import { PLAIN_ROWS } from './endpoint-rows.ts'

/** What a route is counted as. */
export interface ResolvedRouteConfig {
  readonly endpoint: string
  readonly rows: RowOptions
}

/** A route's `config.vitals` once it is known to be right; throws `FSV_ERR_INVALID_ROUTE_CONFIG` where it is not. */
export function resolveRouteConfig (url: string, config: unknown, taken: readonly string[]): ResolvedRouteConfig | false {
  if (config === undefined || config === true) return { endpoint: url, rows: PLAIN_ROWS }
  if (config === false) return false
  const check = new Check('FSV_ERR_INVALID_ROUTE_CONFIG', `config.vitals of route ${url}:`)
  const { endpoint = url, buckets = {}, labels = {} } = check.object('it', config, ['endpoint', 'buckets', 'labels'])
  const { duration, size } = check.object('buckets', buckets, ['duration', 'size'])
  const extra = check.strings('labels', labels)
  for (const name of Object.keys(extra)) {
    check.labelName('a name in labels', name)
    if (taken.includes(name)) check.fail('a name in labels', `other than ${taken.join(', ')}`, name)
  }
  return {
    endpoint: check.text('endpoint', endpoint),
    rows: {
      labels: { ...extra },
      durationBuckets: duration === undefined ? undefined : check.bounds('buckets.duration', duration),
      sizeBuckets: size === undefined ? undefined : check.bounds('buckets.size', size)
    }
  }
}
