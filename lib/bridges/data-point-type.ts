import type { DataPointType } from '@opentelemetry/sdk-metrics'

// The SDK's numbers for kinds of data, so that naming one does not load it.

/** Histograms with fixed bounds. */
export const HISTOGRAM: DataPointType.HISTOGRAM = 0

/** Histograms with exponential buckets. */
export const EXPONENTIAL_HISTOGRAM: DataPointType.EXPONENTIAL_HISTOGRAM = 1

/** Values that stand for themselves. */
export const GAUGE: DataPointType.GAUGE = 2

/** Values that add up. */
export const SUM: DataPointType.SUM = 3
