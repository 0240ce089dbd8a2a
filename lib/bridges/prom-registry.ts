/** One value of a metric as prom-client gives it. */
export interface PromValue {
  readonly value: number
  readonly labels?: Readonly<Record<string, unknown>>
  /** With a suffix for the parts of histograms and summaries. @default the metric's name */
  readonly metricName?: string
  readonly exemplar?: { readonly labelSet: Readonly<Record<string, unknown>>, readonly value: number, readonly timestamp: number } | null | undefined
}

/** A metric with its values as prom-client gives it. */
export interface PromMetric {
  readonly name: string
  readonly help: string
  /** Some versions give a number: counter, gauge, histogram, summary. */
  readonly type: string | number
  readonly values: readonly PromValue[]
  readonly aggregator?: string
}

/**
 * A registry of prom-client, `@prometheus-io/client`, `@platformatic/prom-client` or anything of that shape: what is used of
 * it here.
 */
export interface PromRegistry {
  readonly contentType: string
  getMetricsAsArray (): readonly { readonly name: string, readonly type?: unknown }[]
  getMetricsAsJSON (): Promise<readonly unknown[]>
}

/** Whether something has the shape of a prom-client registry. */
export function isPromRegistry (value: unknown): value is PromRegistry {
  const { contentType, getMetricsAsArray, getMetricsAsJSON } = (typeof value === 'object' && value !== null ? value : {}) as Partial<PromRegistry>
  return typeof contentType === 'string' && typeof getMetricsAsArray === 'function' && typeof getMetricsAsJSON === 'function'
}
