import type { BankSnapshot, Exemplar, RowExemplars } from '../series/snapshot.ts'

/**
 * Exemplars as a Prometheus endpoint has to show them: one for each bucket, the largest; where a bucket has none, that of the
 * nearest bucket below which has one (compatibility specification, "Exemplars").
 */
export function oneOfEach ({ bounds, exemplars }: BankSnapshot): BankSnapshot['exemplars'] {
  return exemplars && new Map([...exemplars].map(([row, slots]) => [row, filled(slots, bounds.length + 1)]))
}

function filled (slots: RowExemplars, buckets: number): RowExemplars {
  let highest: readonly Exemplar[] | undefined
  return Array.from({ length: buckets }, (_, i) => {
    const largest = slots[i]?.at(-1)
    if (largest !== undefined) highest = [largest]
    return highest
  })
}
