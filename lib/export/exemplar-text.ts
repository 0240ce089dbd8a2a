import { escapeLabelValue } from '../series/labels.ts'
import type { Exemplar } from '../series/snapshot.ts'
import { shownLabels } from './exemplar-labels.ts'

/** An exemplar behind a sample of OpenMetrics; empty where there is none. */
export function exemplarText (exemplar: Exemplar | undefined): string {
  const labels = exemplar && shownLabels(exemplar)
  if (labels === undefined) return ''
  const { value, timestampMs } = exemplar!
  return ` # {${labels.map(([name, text]) => `${name}="${escapeLabelValue(text)}"`).join(',')}} ${value} ${timestampMs / 1_000}`
}
