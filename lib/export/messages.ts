import type { MetricData, ResourceMetrics, ScopeMetrics } from '@opentelemetry/sdk-metrics'

/**
 * What was collected, in as few messages as take so many points at the most, all of about one size; each is made when the one
 * before is done with. Their points are those that were collected.
 */
export function * toMessages (collected: ResourceMetrics, mostPoints: number): Generator<ResourceMetrics, void, void> {
  const { resource, scopeMetrics } = collected
  const points = scopeMetrics.reduce((sum, { metrics }) => metrics.reduce((sum, { dataPoints }) => sum + dataPoints.length, sum), 0)
  if (points <= mostPoints) return yield collected
  const share = Math.ceil(points / Math.ceil(points / mostPoints))
  let scopes: ScopeMetrics[] = []
  let room = share
  for (const { scope, metrics } of scopeMetrics) {
    let parts: MetricData[] = []
    for (const metric of metrics) {
      for (let from = 0; from < metric.dataPoints.length;) {
        if (room === 0) {
          yield { resource, scopeMetrics: [...scopes, { scope, metrics: parts }] }
          scopes = []
          parts = []
          room = share
        }
        const dataPoints = metric.dataPoints.slice(from, from + room)
        parts.push(dataPoints.length === metric.dataPoints.length ? metric : { ...metric, dataPoints } as MetricData)
        from += dataPoints.length
        room -= dataPoints.length
      }
    }
    if (parts.length > 0) scopes.push({ scope, metrics: parts })
  }
  yield { resource, scopeMetrics: scopes }
}
