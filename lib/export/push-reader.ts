import { context } from '@opentelemetry/api'
import { globalErrorHandler, suppressTracing } from '@opentelemetry/core'
import { PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import type { MetricProducer, PushMetricExporter } from '@opentelemetry/sdk-metrics'

/**
 * OpenTelemetry's reader that pushes at an interval, with times of its own: it reads, and pushes what it read, one push at a time, and none of it keeps
 * the process alive. What it is derived from does, by a timer for each push.
 */
export class PushReader extends PeriodicExportingMetricReader {
  readonly #exporter: Pick<PushMetricExporter, 'export'>
  readonly #intervalMs: number
  #timer: NodeJS.Timeout | undefined
  #underWay: Promise<void> | undefined

  constructor (producer: MetricProducer, exporter: Pick<PushMetricExporter, 'export'>, intervalMs: number) {
    // Nothing else of the exporter is used here.
    super({ exporter: exporter as PushMetricExporter, metricProducers: [producer], exportIntervalMillis: intervalMs, exportTimeoutMillis: intervalMs })
    this.#exporter = exporter
    this.#intervalMs = intervalMs
  }

  protected override onInitialized (): void {
    this.#timer = setInterval(async () => await (this.#underWay ?? this.#begin()), this.#intervalMs).unref()
  }

  /** Pushes what was recorded by now: a push that is under way may have been read before. */
  protected override async onForceFlush (): Promise<void> {
    await this.#underWay
    // Of all that waited for the same push, the first begins the next.
    await (this.#underWay ?? this.#begin())
  }

  protected override async onShutdown (): Promise<void> {
    clearInterval(this.#timer)
    await this.onForceFlush()
  }

  async #begin (): Promise<void> {
    this.#underWay = this.#push().catch(globalErrorHandler).finally(() => { this.#underWay = undefined })
    await this.#underWay
  }

  async #push (): Promise<void> {
    const { resourceMetrics } = await this.collect()
    await new Promise(resolve => {
      // A push is no part of what an application traces.
      context.with(suppressTracing(context.active()), () => this.#exporter.export(resourceMetrics, resolve))
    })
  }
}
