import type { MetricData, ResourceMetrics, ScopeMetrics } from '@opentelemetry/sdk-metrics'

/** What was collected, in messages of so many points at the most, each made when the one before is done with. */
export function * toMessages ({ resource, scopeMetrics }: ResourceMetrics, mostPoints: number): Generator<ResourceMetrics, void, void> {
  let scopes: ScopeMetrics[] = []
  let room = mostPoints
  for (const { scope, metrics } of scopeMetrics) {
    let parts: MetricData[] = []
    for (const metric of metrics) {
      for (let from = 0; from < metric.dataPoints.length;) {
        if (room === 0) {
          yield { resource, scopeMetrics: [...scopes, { scope, metrics: parts }] }
          scopes = []
          parts = []
          room = mostPoints
        }
        const dataPoints = metric.dataPoints.slice(from, from + room)
        parts.push({ ...metric, dataPoints } as MetricData)
        from += dataPoints.length
        room -= dataPoints.length
      }
    }
    scopes.push({ scope, metrics: parts })
  }
  yield { resource, scopeMetrics: scopes.filter(({ metrics }) => metrics.length > 0) }
}
