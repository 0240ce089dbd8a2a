import { escapeLabelValue } from '../series/labels.ts'
import type { Exemplar } from '../series/snapshot.ts'

/** Most characters in the labels of an exemplar (OpenMetrics 1.0, "Exemplars"). */
const LONGEST_LABELS = 128

/** An exemplar behind a sample of OpenMetrics; empty where there is none, or one with too many labels for the format. */
export function exemplarText (exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return ''
  const { value, timestampMs, labels } = exemplar
  const pairs = Object.entries(labels)
  if (pairs.reduce((length, [name, text]) => length + name.length + [...text].length, 0) > LONGEST_LABELS) return ''
  return ` # {${pairs.map(([name, text]) => `${name}="${escapeLabelValue(text)}"`).join(',')}} ${value} ${timestampMs / 1_000}`
}
