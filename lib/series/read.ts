import type { MetricType } from './names.ts'
import type { Series } from './series.ts'
import type { HistogramValue } from './snapshot.ts'

/** The value of a series now, as its type shows it. */
export function readValue (type: MetricType, series: Series): number | HistogramValue {
  const { at, bank: { cells, bounds } } = series
  if (type !== 'histogram') return cells[at]!
  const buckets: Record<string, number> = {}
  let cumulative = 0
  bounds.forEach((bound, i) => {
    cumulative += cells[at + 2 + i]!
    buckets[String(bound)] = cumulative
  })
  buckets['+Inf'] = cells[at]!
  return { count: cells[at]!, sum: cells[at + 1]!, buckets }
}
