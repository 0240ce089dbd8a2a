/** An upper bound for the Prometheus text format. */
export function toPrometheusBound (bound: number): string {
  return String(bound)
}

/**
 * An upper bound for OpenMetrics, in the canonical form of its specification (1.0, "Considerations: Canonical
 * Numbers"): whole numbers carry `.0`.
 */
export function toOpenMetricsBound (bound: number): string {
  const text = String(bound)
  return /^-?\d+$/.test(text) ? `${text}.0` : text
}
