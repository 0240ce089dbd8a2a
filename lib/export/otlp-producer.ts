import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { ValueType } from '@opentelemetry/api'
import type { HrTime } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics'
import type { CollectionResult, DataPoint, MetricData, MetricProducer, ResourceMetrics, ScopeMetrics } from '@opentelemetry/sdk-metrics'
import { holding } from '../holding.ts'
import type { Registry } from '../series/registry.ts'
import type { BankSnapshot, Snapshot } from '../series/snapshot.ts'
import { OWN_SCOPE } from './own-scope.ts'
import { AttributeCache } from './otlp-attributes.ts'
import { DeltaMemory } from './otlp-delta.ts'
import type { PointExemplars } from './otlp-exemplars.ts'
import { exemplarsSince } from './otlp-exemplars.ts'
import { toExponentialPoint, toHistogramPoint, toHrTime, toNumberPoint } from './otlp-points.ts'
import type { Rows } from './otlp-points.ts'
import { expandSummaries } from './otlp-summary.ts'
import type { OtlpFamily } from './otlp-view.ts'
import { toOtlpFamilies } from './otlp-view.ts'

/** How long a collection may hold the event loop before others get their turn, in ms. */
const TURN_MS = 1

/** How many points are made from one piece of a bank, and so at the most between two looks at the clock. */
const POINTS_PER_PIECE = 64

/** What a producer hands out. */
export interface OtlpProducerOptions {
  /** Counts since the last collection instead of since the series began. @default false */
  readonly isDelta?: boolean
  /** Leaves out what joined from OpenTelemetry meters: for a reader whose SDK sends those itself. @default false */
  readonly withoutMeters?: boolean
  /** A delta counts from what was confirmed of its series, so that a failed push loses nothing; and a collection holds no process. @default false */
  readonly isConfirmed?: boolean
}

/** The store as a source of metrics for OpenTelemetry's SDK: give it to a metric reader as one of its `metricProducers`. */
export class OtlpProducer implements MetricProducer {
  readonly #registry: Registry
  readonly #options: OtlpProducerOptions
  readonly #attributes: AttributeCache
  readonly #memory: DeltaMemory | undefined

  constructor (registry: Registry, options: OtlpProducerOptions = {}) {
    this.#registry = registry
    this.#options = options
    this.#attributes = new AttributeCache(registry.constantLabels)
    this.#memory = options.isDelta === true ? new DeltaMemory() : undefined
  }

  /** Everything at one instant. */
  async collect (): Promise<CollectionResult> {
    const collecting = this.#registry.collect()
    const snapshot = await (this.#options.isConfirmed === true ? collecting : holding(collecting))
    const scopes = new Map<string, ScopeMetrics>()
    const turn = new Turn()
    this.#memory?.begin(snapshot.takenMs)
    for (const family of this.#families(snapshot)) {
      const scope = family.scope ?? OWN_SCOPE
      const key = JSON.stringify(scope)
      let metrics = scopes.get(key)
      if (metrics === undefined) scopes.set(key, metrics = { scope: { ...scope } as ScopeMetrics['scope'], metrics: [] })
      metrics.metrics.push(await this.#toMetricData(family, toHrTime(snapshot.takenMs), turn))
    }
    // What comes next is encoded at once.
    if (turn.isOver(TURN_MS / 4)) await turn.pass()
    this.#memory?.end()
    const scopeMetrics = [...scopes.values()]
    if (this.#options.isConfirmed !== true) this.#memory?.confirm({ scopeMetrics })
    return { resourceMetrics: { resource: resourceFromAttributes({}), scopeMetrics }, errors: [] }
  }

  /** A message with points of the last collection reached its receiver. */
  confirm (message: ResourceMetrics): void {
    this.#memory?.confirm(message)
  }

  #families (snapshot: Snapshot): OtlpFamily[] {
    const families = this.#options.withoutMeters === true ? snapshot.families.filter(({ scope }) => scope === undefined) : snapshot.families
    return toOtlpFamilies({ ...snapshot, families }).flatMap(expandSummaries)
  }

  async #toMetricData (family: OtlpFamily, endTime: HrTime, turn: Turn): Promise<MetricData> {
    const { kind, banks } = family
    // Ups and downs are levels: OpenTelemetry never asks for their differences.
    const memory = kind === 'gauge' || kind === 'updown' ? undefined : this.#memory
    const descriptor = { name: family.name, description: family.description, unit: family.unit, valueType: family.isInteger ? ValueType.INT : ValueType.DOUBLE }
    const dataPoints: DataPoint<unknown>[] = []
    const made = memory?.pointsOf(descriptor, banks, dataPoints)
    const exemplars: PointExemplars = new Map()
    let startMs = -1
    let startTime = endTime
    for (const bank of banks) {
      const { series, stride, toAttributes } = bank
      // Not the store's own, which is frozen: the serializer reads those twice as slowly, and leaves garbage.
      const bounds = [...bank.bounds]
      for (let from = 0; from < series.length; from += POINTS_PER_PIECE) {
        const to = Math.min(from + POINTS_PER_PIECE, series.length)
        const { cells, exponential } = memory === undefined ? rowsOf(bank, from, to) : memory.differences(made!, dataPoints.length, bank, from, to)
        for (let i = from, at = 0; i < to; i++, at += stride) {
          const sinceMs = cells[at + stride - 1]!
          // Most series of a metric are made in the same few moments.
          if (sinceMs !== startMs) startTime = toHrTime(startMs = sinceMs)
          const attributes = this.#attributes.of(series[i]!, toAttributes)
          const point: DataPoint<unknown> = kind === 'histogram'
            ? toHistogramPoint(startTime, endTime, attributes, cells, at, bounds)
            : kind === 'exponential' ? toExponentialPoint(startTime, endTime, attributes, cells, at, exponential!) : toNumberPoint(startTime, endTime, attributes, cells, at)
          dataPoints.push(point)
          // A delta has those of its own time only.
          const traced = bank.exemplars && exemplarsSince(bank.exemplars.get(i), memory === undefined ? 0 : sinceMs)
          if (traced !== undefined) exemplars.set(point, traced)
        }
        if (turn.isOver(TURN_MS)) await turn.pass()
      }
    }
    return {
      descriptor,
      aggregationTemporality: memory === undefined ? AggregationTemporality.CUMULATIVE : AggregationTemporality.DELTA,
      ...DATA_OF[kind],
      ...(exemplars.size > 0 && { exemplars }),
      dataPoints
    } as MetricData
  }
}

const DATA_OF: Readonly<Record<OtlpFamily['kind'], object>> = {
  sum: { dataPointType: DataPointType.SUM, isMonotonic: true },
  updown: { dataPointType: DataPointType.SUM, isMonotonic: false },
  gauge: { dataPointType: DataPointType.GAUGE },
  histogram: { dataPointType: DataPointType.HISTOGRAM },
  exponential: { dataPointType: DataPointType.EXPONENTIAL_HISTOGRAM },
  summary: {}
}

function rowsOf ({ cells, stride, exponential }: BankSnapshot, from: number, to: number): Rows {
  return { cells: cells.subarray(from * stride, to * stride), exponential }
}

/** A share of the event loop. */
class Turn {
  #beganMs = performance.now()

  isOver (limitMs: number): boolean {
    return performance.now() - this.#beganMs >= limitMs
  }

  async pass (): Promise<void> {
    await setImmediate()
    this.#beganMs = performance.now()
  }
}
