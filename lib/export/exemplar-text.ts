import { escapeLabelValue } from '../series/labels.ts'
import type { Exemplar } from '../series/snapshot.ts'
import { isTraceLabel } from './trace-labels.ts'

/** Most characters in the labels of an exemplar (OpenMetrics 1.0, "Exemplars"). */
const LONGEST_LABELS = 128

/**
 * An exemplar behind a sample of OpenMetrics; empty where there is none. Of labels that are too long for the format, only the
 * ids of trace and span are shown; without these it is left out.
 */
export function exemplarText (exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return ''
  const { value, timestampMs, labels } = exemplar
  const pairs = Object.entries(labels)
  const isTooLong = pairs.reduce((length, [name, text]) => length + name.length + [...text].length, 0) > LONGEST_LABELS
  const shown = isTooLong ? pairs.filter(isTraceLabel) : pairs
  if (isTooLong && shown.length === 0) return ''
  return ` # {${shown.map(([name, text]) => `${name}="${escapeLabelValue(text)}"`).join(',')}} ${value} ${timestampMs / 1_000}`
}
