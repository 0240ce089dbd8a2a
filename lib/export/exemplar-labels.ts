import type { Exemplar } from '../series/snapshot.ts'
import { isTraceLabel } from './trace-labels.ts'

/** Most characters in the labels of an exemplar (OpenMetrics 1.0, "Exemplars"; Prometheus holds every format to it). */
const LONGEST_LABELS = 128

/**
 * The labels that a scrape shows of an exemplar: of those that are too long only the ids of trace and span; `undefined`
 * without these, as it is left out then.
 */
export function shownLabels ({ labels }: Exemplar): readonly (readonly [name: string, value: string])[] | undefined {
  const pairs = Object.entries(labels)
  if (pairs.reduce((length, [name, text]) => length + name.length + [...text].length, 0) <= LONGEST_LABELS) return pairs
  const ids = pairs.filter(isTraceLabel)
  return ids.length === 0 ? undefined : ids
}
