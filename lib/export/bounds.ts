/** An upper bound for the Prometheus text format. */
export function toPrometheusBound (bound: number): string {
  return String(bound)
}

/**
 * An upper bound for OpenMetrics, in the canonical form of its specification (1.0, "Considerations: Canonical
 * Numbers"): what Go's %g prints, with `.0` after whole numbers.
 */
export function toOpenMetricsBound (bound: number): string {
  const [digits, exponent] = bound.toExponential().split('e') as [string, string]
  const power = Number(exponent)
  if (bound !== 0 && (power < -4 || power >= 6)) {
    const size = Math.abs(power)
    return `${digits}e${power < 0 ? '-' : '+'}${size < 10 ? '0' : ''}${size}`
  }
  return Number.isInteger(bound) ? `${bound}.0` : String(bound)
}

/** Whether bounds are the same. */
export function areBounds (a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((bound, i) => bound === b[i]))
}
