import { Check } from '../checks.ts'
import type { RouteConfig } from '../options.ts'

/** A route's `config.vitals` once it is known to be right; throws `FSV_ERR_INVALID_ROUTE_CONFIG` where it is not. */
export function resolveRouteConfig (url: string, config: unknown, taken: readonly string[]): RouteConfig {
  if (config === undefined || config === true) return {}
  if (config === false) return false
  const check = new Check('FSV_ERR_INVALID_ROUTE_CONFIG', `config.vitals of route ${url}:`)
  const { endpoint, buckets = {}, labels = {} } = check.object('it', config, ['endpoint', 'buckets', 'labels'])
  const { duration, size } = check.object('buckets', buckets, ['duration', 'size'])
  const extra = check.strings('labels', labels)
  for (const name of Object.keys(extra)) {
    check.labelName('a name in labels', name)
    if (taken.includes(name)) check.fail('a name in labels', `other than ${taken.join(', ')}`, name)
  }
  return {
    ...endpoint !== undefined && { endpoint: check.text('endpoint', endpoint) },
    buckets: {
      ...duration !== undefined && { duration: check.bounds('buckets.duration', duration) },
      ...size !== undefined && { size: check.bounds('buckets.size', size) }
    },
    labels: { ...extra }
  }
}
