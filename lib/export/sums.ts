import type { FamilySnapshot } from '../series/snapshot.ts'

/** Whether values may be negative, and sums fall. */
export function isBelowZero (bounds: readonly number[]): boolean {
  return bounds[0] !== undefined && bounds[0] < 0
}

/** Whether a histogram has a sum: OpenTelemetry shows Prometheus none that may fall (compatibility specification, "Histograms"). */
export function hasHistogramSum ({ isSemconv = false }: FamilySnapshot, bounds: readonly number[]): boolean {
  return !isSemconv || !isBelowZero(bounds)
}

/** Whether the summary in a row has one: none beside a negative value (the same, "Summaries"). */
export function hasSummarySum (isSemconv: boolean, cells: Float64Array, at: number, quantiles: number): boolean {
  return !isSemconv || !cells.subarray(at + 1, at + 2 + quantiles).some(value => value < 0)
}
